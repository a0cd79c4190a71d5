#!/usr/bin/env bash
# Every call of Mesos' operator API of the agent, as its documents show it. The agent can make
# containers inside of others.
. "$(dirname "$0")/lib.sh"

# call NAME STATUS: a call of which the answer, if it is good, has no body.
call() {
    v1 "$AGENT" "$@"
    case $2 in 20*) is_empty ;; esac
}

run '"command": {"value": "sleep 1000"}'
hears events '"state": "TASK_RUNNING"'
task='"task_id": {"value": "my-task"}'

ask "$AGENT" GET_HEALTH '"get_health": {"healthy": true}'
ask "$AGENT" GET_FLAGS '"get_flags": {"flags": [{"name": ' '"name": "work_dir", "value": "'
ask "$AGENT" GET_VERSION '"get_version": {"version_info": {"version": "'
v1 "$AGENT" GET_METRICS 200 <<<'{"type": "GET_METRICS", "get_metrics": {"timeout":
 {"nanoseconds": 5000000000}}}'
has '"type": "GET_METRICS"' '{"name": "slave/registered", "value": 1.0}' \
    '{"name": "slave/tasks_running", "value": 1.0}'
ask "$AGENT" GET_LOGGING_LEVEL '"get_logging_level": {"level": 0}'
call SET_LOGGING_LEVEL 200 <<<'{"type": "SET_LOGGING_LEVEL", "set_logging_level": {"duration":
 {"nanoseconds": 60000000000}, "level": 1}}'
ask "$AGENT" GET_LOGGING_LEVEL '"level": 1'
ask "$AGENT" GET_STATE '"get_state": {' '"get_tasks": {"launched_tasks": [{' '"get_executors": ' \
    '"get_frameworks": {"frameworks": [{"framework_info": {' "$task"
ask "$AGENT" GET_FRAMEWORKS '"get_frameworks": {"frameworks": [{"framework_info": {' \
    '"name": "curl"' "\"id\": {\"value\": \"$framework\"}"
ask "$AGENT" GET_EXECUTORS
ask "$AGENT" GET_OPERATIONS
ask "$AGENT" GET_TASKS '"get_tasks": {"launched_tasks": [{' '"name": "My Task"' "$task" \
    '"state": "TASK_RUNNING"'
ask "$AGENT" GET_AGENT '"get_agent": {"agent_info": {' "\"id\": {\"value\": \"$agent\"}"
v1 "$AGENT" GET_CONTAINERS 200 <<<'{"type": "GET_CONTAINERS", "get_containers": {
 "show_nested": true, "show_standalone": false}}'
has '"get_containers": {"containers": [{' "\"framework_id\": {\"value\": \"$framework\"}" \
    '"executor_id": {"value": "my-task"}' '"container_status": {' '"resource_statistics": {'
container=$(last body '"container_id":\{"value":"([^"]*)"\}')

folder=/frameworks/$framework/executors/my-task/runs/latest
v1 "$AGENT" LIST_FILES 200 <<<"{\"type\": \"LIST_FILES\", \"list_files\": {\"path\": \"$folder\"}}"
has '"list_files": {"file_infos": [' "\"path\": \"$folder/stdout\"" '"nlink": 1' '"size": 0' \
    '"mtime": {"nanoseconds": ' '"uid": "' '"gid": "' '"mode": '
v1 "$AGENT" READ_FILE 200 <<<"{\"type\": \"READ_FILE\", \"read_file\": {\"length\": 6, \"offset\": 0,
 \"path\": \"$folder/stdout\"}}"
has '"read_file": {' '"size": 0'

# Containers inside of the task's, and one inside of such a one.
parent="\"parent\": {\"value\": \"$container\"}"
outer="{$parent, \"value\": \"f5015d94\"}"
inner="{\"parent\": $outer, \"value\": \"3192b9d1\"}"

# about KIND STATUS ID: a call about a container.
about() {
    v1 "$AGENT" "$1" "$2" <<<"{\"type\": \"$1\", \"${1,,}\": {\"container_id\": $3}}"
}

# launch KIND ID COMMAND: the call with the example's environment.
launch() {
    cat <<END
{"type": "$1", "${1,,}": {"container_id": $2, "command": {"environment": {"variables": [
 {"name": "ENV_VAR_KEY", "type": "VALUE", "value": "env_var_value"}]}, "shell": true,
 "value": "$3"}}}
END
}

call LAUNCH_NESTED_CONTAINER 200 <<<"$(launch LAUNCH_NESTED_CONTAINER "$outer" 'sleep 1000')"
call LAUNCH_NESTED_CONTAINER 202 <<<"$(launch LAUNCH_NESTED_CONTAINER "$outer" 'sleep 1000')"
call LAUNCH_NESTED_CONTAINER 200 \
    <<<"$(launch LAUNCH_NESTED_CONTAINER "$inner" '[ $ENV_VAR_KEY = env_var_value ]')"
about WAIT_NESTED_CONTAINER 200 "$inner"
has '"type": "WAIT_NESTED_CONTAINER"' '"wait_nested_container": {"exit_status": 0'
about REMOVE_NESTED_CONTAINER 200 "$inner"
is_empty
about KILL_NESTED_CONTAINER 200 "$outer"
is_empty
about WAIT_NESTED_CONTAINER 200 "$outer"
has '"exit_status": 9'
about REMOVE_NESTED_CONTAINER 200 "$outer"
about WAIT_NESTED_CONTAINER 404 "$inner"

# streams_of NAME STREAM: opens the stream of a container's output, with the call that is on
# standard input.
streams_of() {
    stream "$2" "http://$AGENT/api/v1" --header 'Accept: application/recordio' \
        --header 'Message-Accept: application/json'
    opens "$1" "$2"
    local line
    for line in 'Content-Type: application/recordio' 'Message-Content-Type: application/json'; do
        grep -qi -- "^$line" "$work/$2" || wrong "$1: no $line in $(head -20 "$work/$2")"
    done
}

session="{$parent, \"value\": \"e193a755\"}"
streams_of LAUNCH_NESTED_CONTAINER_SESSION clock \
    <<<"$(launch LAUNCH_NESTED_CONTAINER_SESSION "$session" 'while [ true ]; do echo $(date); sleep 1; done')"
hears clock '"type": "DATA", "data": {"type": "STDOUT", "data": "'
about KILL_NESTED_CONTAINER 200 "$session"
ends clock

# What is typed into a session is read by its program, and seen by all who look.
session="{$parent, \"value\": \"bde04877\"}"
streams_of LAUNCH_NESTED_CONTAINER_SESSION session \
    <<<"$(launch LAUNCH_NESTED_CONTAINER_SESSION "$session" 'cat; echo end >&2')"
streams_of ATTACH_CONTAINER_OUTPUT output <<<"{\"type\": \"ATTACH_CONTAINER_OUTPUT\",
 \"attach_container_output\": {\"container_id\": $session}}"

# record PART: a record of input, with its length before it.
record() {
    local json="{\"type\": \"ATTACH_CONTAINER_INPUT\", \"attach_container_input\": {$1}}"
    printf '%s\n%s' "${#json}" "$json"
}

{
    record "\"type\": \"CONTAINER_ID\", \"container_id\": $session"
    input='"type": "PROCESS_IO", "process_io":'
    record "$input {\"type\": \"DATA\", \"data\": {\"type\": \"STDIN\", \"data\": \"dGVzdAo=\"}}"
    record "$input {\"type\": \"CONTROL\", \"control\": {\"type\": \"HEARTBEAT\", \"heartbeat\":
 {\"interval\": {\"nanoseconds\": 30000000000}}}}"
    record "$input {\"type\": \"DATA\", \"data\": {\"type\": \"STDIN\", \"data\": \"\"}}"
} >"$work/input"
request ATTACH_CONTAINER_INPUT 200 --request POST "http://$AGENT/api/v1" \
    --header 'Content-Type: application/recordio' \
    --header 'Message-Content-Type: application/json' --header 'Accept: application/json' \
    --header 'Transfer-Encoding: chunked' --data-binary "@$work/input"
is_empty
for name in session output; do
    hears "$name" '"data": {"type": "STDOUT", "data": "dGVzdAo="}'
    hears "$name" '"data": {"type": "STDERR", "data": "ZW5kCg=="}'
    ends "$name"
done
about WAIT_NESTED_CONTAINER 200 "$session"
has '"exit_status": 0'

# The same calls, as they are also for containers that belong to no task.
alone='{"value": "alone"}'
call LAUNCH_CONTAINER 200 <<<"{\"type\": \"LAUNCH_CONTAINER\", \"launch_container\": {
 \"container_id\": $alone, \"command\": {\"value\": \"sleep 1000\"}, \"resources\": [
  {\"name\": \"cpus\", \"type\": \"SCALAR\", \"scalar\": {\"value\": 0.1}},
  {\"name\": \"mem\", \"type\": \"SCALAR\", \"scalar\": {\"value\": 32}}]}}"
about KILL_CONTAINER 200 "$alone"
about WAIT_CONTAINER 200 "$alone"
has '"type": "WAIT_CONTAINER"' '"exit_status": 9'
about REMOVE_CONTAINER 200 "$alone"

# Storage is not provided here, which these calls say: 501, where the documents have 200.
ask "$AGENT" GET_RESOURCE_PROVIDERS
named='"type": "org.apache.mesos.rp.local.storage", "name": "test_slrp"'
provider="{\"info\": {$named, \"default_reservations\": [{\"type\": \"DYNAMIC\", \"role\": \"test-role\"}],
 \"storage\": {\"plugin\": {\"type\": \"org.apache.mesos.csi.test\", \"name\": \"test_plugin\",
  \"containers\": [{\"services\": [\"CONTROLLER_SERVICE\", \"NODE_SERVICE\"],
   \"command\": {\"shell\": true, \"value\": \"./test-csi-plugin --available_capacity=2GB\",
    \"uris\": [{\"value\": \"/PATH/TO/test-csi-plugin\", \"executable\": true}]},
   \"resources\": [{\"name\": \"cpus\", \"type\": \"SCALAR\", \"scalar\": {\"value\": 0.1}}]}]}}}}"
for kind in ADD_RESOURCE_PROVIDER_CONFIG UPDATE_RESOURCE_PROVIDER_CONFIG; do
    call "$kind" 501 <<<"{\"type\": \"$kind\", \"${kind,,}\": $provider}"
done
call REMOVE_RESOURCE_PROVIDER_CONFIG 501 <<<"{\"type\": \"REMOVE_RESOURCE_PROVIDER_CONFIG\",
 \"remove_resource_provider_config\": {$named}}"
call MARK_RESOURCE_PROVIDER_GONE 501 <<<'{"type": "MARK_RESOURCE_PROVIDER_GONE",
 "mark_resource_provider_gone": {"resource_provider_id": {"value": "22d25a71"}}}'

call PRUNE_IMAGES 200 <<<'{"type": "PRUNE_IMAGES", "prune_images": {"excluded_images": [
 {"type": "DOCKER", "docker": {"name": "mysql:latest"}}]}}'
scheduler TEARDOWN 202 <<<"{\"framework_id\": {\"value\": \"$framework\"}, \"type\": \"TEARDOWN\"}"
