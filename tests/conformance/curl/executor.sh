#!/usr/bin/env bash
# Every call of Mesos' executor API, as its documents show it, and the events that they bring: the
# framework and its executor are both curl.
. "$(dirname "$0")/lib.sh"

run '"executor": {"executor_id": {"value": "my-executor"}, "command": {"value": "sleep 1000"}}'
of="\"framework_id\": {\"value\": \"$framework\"}"
ids="$of, \"executor_id\": {\"value\": \"my-executor\"}"
task='"task_id": {"value": "my-task"}'
on="\"agent_id\": {\"value\": \"$agent\"}"

# executor NAME STATUS: a call of the executor, whose JSON is on standard input.
executor() {
    request "$@" --request POST "http://$AGENT/api/v1/executor" --data-binary @- \
        --header 'Content-Type: application/json' --header 'Accept: application/json'
    [ "$2" != 202 ] || is_empty
}

# executor_stream STREAM: opens the stream of an executor, with the part of the call that has more.
executor_stream() {
    stream "$1" "http://$AGENT/api/v1/executor" --header 'Accept: application/json' <<END
{"type": "SUBSCRIBE", $ids, "subscribe": {$2}}
END
    opens SUBSCRIBE "$1"
    ! grep -qi '^mesos-stream-id' "$work/$1" || wrong "an executor's stream has an id"
    hears "$1" '"type": "SUBSCRIBED"'
    # The example has the agent's id beside its info, and its host under another name.
    local part
    for part in '"executor_id": {"value": "my-executor"}' '"executor_info": {' \
        '"framework_info": {' '"name": "curl"' '"agent_info": {' "\"id\": {\"value\": \"$agent\"}" \
        '"hostname": "' "\"port\": ${AGENT##*:}"; do
        hears "$1" "$part"
    done
}

# says STATE UUID: the executor tells the state of its task.
says() {
    executor UPDATE 202 <<END
{$ids, "type": "UPDATE", "update": {"status": {"executor_id": {"value": "my-executor"},
 "source": "SOURCE_EXECUTOR", "state": "$1", $task, "uuid": "$2"}}}
END
    hears events "\"state\": \"$1\""
    scheduler ACKNOWLEDGE 202 <<END
{$of, "type": "ACKNOWLEDGE", "acknowledge": {$on, $task, "uuid": "$2"}}
END
}

started() {
    curl --silent "http://$AGENT/state" | grep -q '"id":"my-executor"'
}

eventually 'the agent knows the executor' started
# Nobody but those that the agent knows, and these not before they have subscribed.
executor MESSAGE 400 <<<'{"framework_id": {"value": "x"}, "executor_id": {"value": "x"},
 "type": "MESSAGE", "message": {"data": "aGk="}}'
has 'Framework cannot be found'
executor MESSAGE 400 <<<"{$of, \"executor_id\": {\"value\": \"x\"},
 \"type\": \"MESSAGE\", \"message\": {\"data\": \"aGk=\"}}"
has 'Executor cannot be found'
executor MESSAGE 403 <<<"{$ids, \"type\": \"MESSAGE\", \"message\": {\"data\": \"aGk=\"}}"
has 'Executor is not subscribed'

executor_stream mine ''
hears mine '"type": "LAUNCH"'
hears mine "$task"
running=1A8/PrvjRK+iMEyx6ucvZw==
says TASK_RUNNING "$running"
hears mine '"type": "ACKNOWLEDGED"'
hears mine "\"uuid\": \"$running\""

# Messages both ways. The example of this call has `data` outside of `message`.
executor MESSAGE 202 <<<"{$ids, \"type\": \"MESSAGE\", \"message\": {\"data\": \"t+Wonz5fRFKMzCnEptlv5A==\"}}"
hears events '"data": "t+Wonz5fRFKMzCnEptlv5A=="'
executor MESSAGE 400 <<<"{$ids, \"type\": \"MESSAGE\", \"data\": \"t+Wonz5fRFKMzCnEptlv5A==\"}"
scheduler MESSAGE 202 <<END
{$of, "type": "MESSAGE", "message": {$on, "executor_id": {"value": "my-executor"},
 "data": "c2FtcGxlIGRhdGE="}}
END
hears mine '"type": "MESSAGE"'
hears mine '"data": "c2FtcGxlIGRhdGE="'
executor HEARTBEAT 202 <<<"{$ids, \"type\": \"HEARTBEAT\"}"

# As after a disconnection, with what was not acknowledged before it.
kill "${process[mine]}"
executor_stream again "\"unacknowledged_tasks\": [{\"name\": \"My Task\", $task, $on,
  \"resources\": $(resources engineering 0.1 32)}],
 \"unacknowledged_updates\": [{$of, \"status\": {\"source\": \"SOURCE_EXECUTOR\", $task,
  \"state\": \"TASK_RUNNING\", \"message\": \"again\", \"uuid\": \"1A8/PrvjRK+iMEyx6ucvaA==\"}}]"
hears events '"message": "again"'
uuid=$(last events '"uuid":"([^"]*)"')
scheduler ACKNOWLEDGE 202 <<END
{$of, "type": "ACKNOWLEDGE", "acknowledge": {$on, $task, "uuid": "$uuid"}}
END
hears again '"type": "ACKNOWLEDGED"'

scheduler KILL 202 <<<"{$of, \"type\": \"KILL\", \"kill\": {$task, $on}}"
hears again '"type": "KILL"'
says TASK_KILLED 1A8/PrvjRK+iMEyx6ucvaQ==
hears again '"uuid": "1A8/PrvjRK+iMEyx6ucvaQ=="'
scheduler SHUTDOWN 202 <<END
{$of, "type": "SHUTDOWN", "shutdown": {"executor_id": {"value": "my-executor"}, $on}}
END
hears again '"type": "SHUTDOWN"'
scheduler TEARDOWN 202 <<<"{$of, \"type\": \"TEARDOWN\"}"
