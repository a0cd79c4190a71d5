#!/usr/bin/env bash
# Every call of Mesos' operator API of the master, as its documents show it. Where these disagree
# with Mesos' source, the source is right: calls that are done at once answer 200 and not 202. The
# agent has 256 MB of disk that are reserved to `role1` by its flags, for the examples of volumes.
. "$(dirname "$0")/lib.sh"

# call NAME STATUS: a call of which the answer, if it is good, has no body.
call() {
    v1 "$MASTER" "$@"
    case $2 in 20*) is_empty ;; esac
}

stream watch "http://$MASTER/api/v1" --header 'Accept: application/json' <<<'{"type": "SUBSCRIBE"}'
opens SUBSCRIBE watch
hears watch '"type": "SUBSCRIBED"'
hears watch '"get_state": {'
hears watch '"type": "HEARTBEAT"'

run '"executor": {"executor_id": {"value": "default"}, "command": {"value": "sleep 1000"}}'
hears watch '"type": "FRAMEWORK_ADDED"'
hears watch '"type": "TASK_ADDED"'
task='"task_id": {"value": "my-task"}'
on="\"agent_id\": {\"value\": \"$agent\"}"
id="\"id\": {\"value\": \"$agent\"}"

ask "$MASTER" GET_HEALTH '"get_health": {"healthy": true}'
ask "$MASTER" GET_FLAGS '"get_flags": {"flags": [{"name": ' '"name": "work_dir", "value": "'
ask "$MASTER" GET_VERSION '"get_version": {"version_info": {"version": "'
v1 "$MASTER" GET_METRICS 200 <<<'{"type": "GET_METRICS", "get_metrics": {"timeout":
 {"nanoseconds": 5000000000}}}'
has '"type": "GET_METRICS"' '{"name": "master/elected", "value": 1.0}' '"system/cpus_total"' \
    '{"name": "master/slaves_active", "value": 1.0}' '"registrar/state_store_ms'
ask "$MASTER" GET_LOGGING_LEVEL '"get_logging_level": {"level": 0}'
call SET_LOGGING_LEVEL 200 <<<'{"type": "SET_LOGGING_LEVEL", "set_logging_level": {"duration":
 {"nanoseconds": 60000000000}, "level": 1}}'
ask "$MASTER" GET_LOGGING_LEVEL '"level": 1'
# A master has no files but its log, and no log where it is not told to keep one.
call LIST_FILES 404 <<<'{"type": "LIST_FILES", "list_files": {"path": "one/"}}'
call READ_FILE 404 <<<'{"type": "READ_FILE", "read_file": {"length": 6, "offset": 1,
 "path": "myname"}}'
ask "$MASTER" GET_STATE '"get_state": {' '"get_tasks": {' '"get_executors": {' \
    '"get_frameworks": {' '"get_agents": {' "$task" "$id" '"value": "default"'
ask "$MASTER" GET_AGENTS '"get_agents": {"agents": [{' "$id" '"active": true' '"version": "' \
    '"pid": "' '"registered_time": {"nanoseconds": ' '"total_resources": [' '"name": "cpus"'
ask "$MASTER" GET_FRAMEWORKS '"get_frameworks": {"frameworks": [{' '"active": true' \
    '"connected": true' '"name": "curl"' '"registered_time": {"nanoseconds": ' '"failover_timeout": 0.0'
ask "$MASTER" GET_EXECUTORS '"get_executors": {"executors": [{' "$on" \
    '"executor_id": {"value": "default"}' '"value": "sleep 1000"'
ask "$MASTER" GET_TASKS '"get_tasks": {' '"name": "My Task"' "$task" "$on" '"state": "TASK_STAGING"'
# The example has `*` too, which is in no use here.
ask "$MASTER" GET_ROLES '"get_roles": {"roles": [' '"name": "engineering", "weight": 1.0' \
    "\"value\": \"$framework\""
ask "$MASTER" GET_MASTER '"get_master": {"master_info": {' "\"port\": ${MASTER##*:}" '"version": "'

call UPDATE_WEIGHTS 200 <<<'{"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": [
 {"role": "role", "weight": 4.0}]}}'
ask "$MASTER" GET_WEIGHTS '"get_weights": {"weight_infos": [{' '"weight": 4.0' '"role": "role"'

# reserved ROLE: what the examples reserve, or are about to when there is no role.
reserved() {
    local by=""
    [ -z "$1" ] || by=", \"reservations\": [{\"type\": \"DYNAMIC\", \"role\": \"$1\",
 \"principal\": \"my-principal\"}]"
    cat <<END
[{"type": "SCALAR", "name": "cpus", "scalar": {"value": 1.0}$by},
 {"type": "SCALAR", "name": "mem", "scalar": {"value": 128.0}$by}]
END
}

call RESERVE_RESOURCES 202 <<END
{"type": "RESERVE_RESOURCES", "reserve_resources": {$on, "source": $(reserved ''),
 "resources": $(reserved role_a)}}
END
ask "$MASTER" GET_AGENTS '"role": "role_a"' '"principal": "my-principal"'
call RESERVE_RESOURCES 202 <<END
{"type": "RESERVE_RESOURCES", "reserve_resources": {$on, "source": $(reserved role_a),
 "resources": $(reserved role_b)}}
END
ask "$MASTER" GET_AGENTS '"role": "role_b"'
has_not '"role": "role_a"'
call UNRESERVE_RESOURCES 202 <<END
{"type": "UNRESERVE_RESOURCES", "unreserve_resources": {$on, "resources": $(reserved role_b)}}
END
ask "$MASTER" GET_AGENTS
has_not '"role": "role_b"'

# volume MEGABYTES: that of the examples.
volume() {
    cat <<END
{"type": "SCALAR", "name": "disk", "role": "role1", "scalar": {"value": $1}, "disk": {
 "persistence": {"id": "id1", "principal": "my-principal"},
 "volume": {"container_path": "path1", "mode": "RW"}}}
END
}

call CREATE_VOLUMES 202 <<END
{"type": "CREATE_VOLUMES", "create_volumes": {$on, "volumes": [$(volume 64.0)]}}
END
ask "$MASTER" GET_AGENTS '"persistence": {"id": "id1", "principal": "my-principal"}'
call GROW_VOLUME 202 <<END
{"type": "GROW_VOLUME", "grow_volume": {$on, "volume": $(volume 64.0), "addition":
 {"type": "SCALAR", "name": "disk", "role": "role1", "scalar": {"value": 64.0}}}}
END
call SHRINK_VOLUME 202 <<END
{"type": "SHRINK_VOLUME", "shrink_volume": {$on, "volume": $(volume 128.0),
 "subtract": {"value": 64.0}}}
END
call DESTROY_VOLUMES 202 <<END
{"type": "DESTROY_VOLUMES", "destroy_volumes": {$on, "volumes": [$(volume 64.0)]}}
END
ask "$MASTER" GET_AGENTS
has_not '"id1"'
ask "$MASTER" GET_OPERATIONS

# Times are kept to the microsecond, where Mesos keeps what it was given.
window='"machine_ids": [{"hostname": "myhost"}, {"ip": "0.0.0.2"}],
 "unavailability": {"start": {"nanoseconds": 1470820233192017000}}'
call UPDATE_MAINTENANCE_SCHEDULE 200 <<<"{\"type\": \"UPDATE_MAINTENANCE_SCHEDULE\",
 \"update_maintenance_schedule\": {\"schedule\": {\"windows\": [{$window}]}}}"
ask "$MASTER" GET_MAINTENANCE_SCHEDULE "\"schedule\": {\"windows\": [{$window}]}"
ask "$MASTER" GET_MAINTENANCE_STATUS '"draining_machines": [' '{"id": {"ip": "0.0.0.2"}' \
    '{"id": {"hostname": "myhost"}'
# The example's machine, with its address, is not the one that is scheduled.
call START_MAINTENANCE 400 <<<'{"type": "START_MAINTENANCE", "start_maintenance": {"machines": [
 {"hostname": "myhost", "ip": "0.0.0.3"}]}}'
call START_MAINTENANCE 200 <<<'{"type": "START_MAINTENANCE", "start_maintenance": {"machines": [
 {"hostname": "myhost"}]}}'
ask "$MASTER" GET_MAINTENANCE_STATUS '"down_machines": [{"hostname": "myhost"}]'
call STOP_MAINTENANCE 200 <<<'{"type": "STOP_MAINTENANCE", "stop_maintenance": {"machines": [
 {"hostname": "myhost"}]}}'
ask "$MASTER" GET_MAINTENANCE_STATUS
has_not '"myhost"'

call UPDATE_QUOTA 200 <<'END'
{"type": "UPDATE_QUOTA", "update_quota": {"force": false, "quota_configs": [
 {"role": "dev", "limits": {"cpus": {"value": 10}, "mem": {"value": 2048}, "disk": {"value": 4096}}},
 {"role": "test", "limits": {"cpus": {"value": 1}, "mem": {"value": 256}, "disk": {"value": 512}}}]}}
END
# The example of the answer has `configs` inside of `infos`.
ask "$MASTER" GET_QUOTA '"get_quota": {"status": {' '"configs": [' '"role": "dev"' '"role": "test"' \
    '"cpus": {"value": 10.0}'
call UPDATE_QUOTA 200 <<<'{"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [
 {"role": "dev"}, {"role": "test"}]}}'
call SET_QUOTA 200 <<<'{"type": "SET_QUOTA", "set_quota": {"quota_request": {"force": true,
 "role": "role1", "guarantee": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 12}}]}}}'
ask "$MASTER" GET_QUOTA '"infos": [' '"role": "role1"' '"guarantee": ['
call REMOVE_QUOTA 200 <<<'{"type": "REMOVE_QUOTA", "remove_quota": {"role": "role1"}}'

call TEARDOWN 200 <<<"{\"type\": \"TEARDOWN\", \"teardown\": {\"framework_id\": {\"value\":
 \"$framework\"}}}"
ends events
hears watch '"type": "TASK_UPDATED"'
hears watch '"type": "FRAMEWORK_REMOVED"'
call DEACTIVATE_AGENT 200 <<<"{\"type\": \"DEACTIVATE_AGENT\", \"deactivate_agent\": {$on}}"
ask "$MASTER" GET_AGENTS '"deactivated": true'
call REACTIVATE_AGENT 200 <<<"{\"type\": \"REACTIVATE_AGENT\", \"reactivate_agent\": {$on}}"
ask "$MASTER" GET_AGENTS
has_not '"deactivated": true'
call DRAIN_AGENT 200 <<<"{\"type\": \"DRAIN_AGENT\", \"drain_agent\": {$on,
 \"max_grace_period\": {\"seconds\": 600}, \"mark_gone\": false}}"
ask "$MASTER" GET_AGENTS '"drain_info": {'
for _ in once 'and again, for nothing'; do
    call MARK_AGENT_GONE 200 <<<"{\"type\": \"MARK_AGENT_GONE\", \"mark_agent_gone\": {$on}}"
done
hears watch '"type": "AGENT_REMOVED"'
call MARK_AGENT_GONE 404 <<<'{"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value":
 "3192b9d1-db71-4699-ae25-e28dfbf42de1"}}}'
