#!/usr/bin/env bash
# Every call of Mesos' scheduler API, as its documents show it. Where these disagree with Mesos' source,
# the source is right, and a comment says so.
. "$(dirname "$0")/lib.sh"

roles='"roles": ["test1", "test2"], "capabilities": [{"type": "MULTI_ROLE"}]'
info="\"user\": \"$user\", \"name\": \"Example HTTP Framework\", $roles"

# The constraints of the example, on an attribute.
constraints() {
    cat <<END
"offer_constraints": {"role_constraints": {"test1": {"groups": [{"attribute_constraints": [
 {"selector": {"attribute_name": "$1"}, "predicate": {"exists": {}}}]}]}}}
END
}

subscription="{\"type\": \"SUBSCRIBE\", \"subscribe\": {\"framework_info\": {$info},
 \"suppressed_roles\": [\"test2\"], $(constraints foo)}}"
subscribe events --header 'Connection: close' <<<"$subscription"
of="\"framework_id\": {\"value\": \"$framework\"}"
scheduler SUBSCRIBE 400 <<<"$subscription"
has "Subscribe calls should not include the 'Mesos-Stream-Id' header"

# The agent has no attribute of that name, so the offers that come now come of the next call. The
# example has neither the id of the framework nor that of the stream, and lacks a comma.
scheduler UPDATE_FRAMEWORK 200 <<END
{"type": "UPDATE_FRAMEWORK", $of, "update_framework": {"framework_info": {"id": {"value":
 "$framework"}, $info}, "suppressed_roles": ["test2"], $(constraints number)}}
END
next_offer events
hears events '"allocation_info": {"role": "test1"}'
on="\"agent_id\": {\"value\": \"$agent\"}"

# The executor never subscribes, so the task waits until it is killed. The example has the limits as
# bare numbers, and they are messages.
scheduler ACCEPT 202 <<END
{$of, "type": "ACCEPT", "accept": {"offer_ids": [{"value": "$offer"}], "operations": [
 {"type": "LAUNCH", "launch": {"task_infos": [{"name": "My Task", "task_id": {"value": "my-task"},
  $on, "executor": {"command": {"shell": true, "value": "sleep 1000"},
   "executor_id": {"value": "my-executor"}},
  "resources": $(resources test1 1.0 128), "limits": {"cpus": {"value": "Infinity"},
   "mem": {"value": 512.0}}}]}}],
 "filters": {"refuse_seconds": 5.0}}}
END
scheduler MESSAGE 202 <<END
{$of, "type": "MESSAGE", "message": {$on, "executor_id": {"value": "my-executor"},
 "data": "adaf838jahd748jnaldf"}}
END
scheduler KILL 202 <<END
{$of, "type": "KILL", "kill": {"task_id": {"value": "my-task"}, $on}}
END
hears events '"state": "TASK_KILLED"'
uuid=$(last events '"uuid":"([^"]*)"')
[ -n "$uuid" ] || give_up "an update has no uuid: $(cat "$work/events")"
scheduler ACKNOWLEDGE 202 <<END
{$of, "type": "ACKNOWLEDGE", "acknowledge": {$on, "task_id": {"value": "my-task"},
 "uuid": "$uuid"}}
END
scheduler SHUTDOWN 202 <<END
{$of, "type": "SHUTDOWN", "shutdown": {"executor_id": {"value": "my-executor"}, $on}}
END

# A task that nobody knows is lost, for a framework that knows no other word.
scheduler RECONCILE 202 <<END
{$of, "type": "RECONCILE", "reconcile": {"tasks": [
 {"task_id": {"value": "312325"}, "agent_id": {"value": "123535"}}]}}
END
hears events '"task_id": {"value": "312325"}'
hears events '"state": "TASK_LOST"'

# The example has `role`, which is no field of the call, and so revives all roles.
scheduler REVIVE 202 <<<"{$of, \"type\": \"REVIVE\", \"revive\": {\"role\": \"test1\"}}"
next_offer events
scheduler ACCEPT 202 <<END
{$of, "type": "ACCEPT", "accept": {"offer_ids": [{"value": "$offer"}], "operations": [
 {"type": "RESERVE", "id": {"value": "reserves"}, "reserve": {"resources": [
  {"allocation_info": {"role": "test1"}, "name": "cpus", "type": "SCALAR", "role": "test1",
   "scalar": {"value": 0.5}, "reservation": {}}]}}], "filters": {"refuse_seconds": 0}}}
END
hears events '"type": "UPDATE_OPERATION_STATUS"'
hears events '"state": "OPERATION_FINISHED"'
uuid=$(last events '"uuid":\{"value":"([^"]*)"\}')
# The example has the id as text, and the uuid of a status is a message.
scheduler ACKNOWLEDGE_OPERATION_STATUS 202 <<END
{$of, "type": "ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status": {$on,
 "uuid": "$uuid", "operation_id": {"value": "reserves"}}}
END
scheduler RECONCILE_OPERATIONS 202 <<END
{$of, "type": "RECONCILE_OPERATIONS", "reconcile_operations": {"operations": [
 {"operation_id": {"value": "312325"}, "agent_id": {"value": "123535"},
  "resource_provider_id": {"value": "927695"}}]}}
END
hears events '"operation_id": {"value": "312325"}'

scheduler SUPPRESS 202 <<<"{$of, \"type\": \"SUPPRESS\", \"suppress\": {\"roles\": [\"test1\"]}}"
scheduler REVIVE 202 <<<"{$of, \"type\": \"REVIVE\"}"
next_offer events
scheduler DECLINE 202 <<END
{$of, "type": "DECLINE", "decline": {"offer_ids": [{"value": "$offer"}, {"value": "x-O13"}],
 "filters": {"refuse_seconds": 5.0}}}
END
for kind in ACCEPT_INVERSE_OFFERS DECLINE_INVERSE_OFFERS; do
    scheduler "$kind" 202 <<END
{$of, "type": "$kind", "${kind,,}": {"inverse_offer_ids": [{"value": "x-O14"}],
 "filters": {"refuse_seconds": 5.0}}}
END
done
requests="[{$on, \"resources\": [{\"name\": \"cpus\", \"type\": \"SCALAR\", \"scalar\": {\"value\": 1}}]}]"
scheduler REQUEST 202 <<<"{$of, \"type\": \"REQUEST\", \"request\": {\"requests\": $requests}}"
# The example has the list outside of the part that is named after the call.
scheduler REQUEST 400 <<<"{$of, \"type\": \"REQUEST\", \"requests\": $requests}"
has "Expecting 'request' to be present"

# Who subscribes again has another stream, and the first one ends.
first=$stream_id
subscribe again <<END
{"type": "SUBSCRIBE", $of, "subscribe": {"framework_info": {"id": {"value": "$framework"}, $info}}}
END
[ "$framework" = "$(last again '"framework_id":\{"value":"([^"]*)"\}')" ] ||
    wrong "SUBSCRIBE: another framework"
hears events '"type": "ERROR"'
hears events '"message": "Framework failed over"'
ends events
second=$stream_id stream_id=$first
scheduler TEARDOWN 400 <<<"{$of, \"type\": \"TEARDOWN\"}"
has "didn't match the stream ID currently associated with framework ID $framework"
stream_id=$second
scheduler TEARDOWN 202 <<<"{$of, \"type\": \"TEARDOWN\"}"
ends again

# The documents say 403 for whoever has not subscribed; of an unknown framework it is 400.
scheduler TEARDOWN 400 <<<'{"framework_id": {"value": "12220"}, "type": "TEARDOWN"}'
has 'Framework cannot be found'
