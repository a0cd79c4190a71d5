#!/usr/bin/env bash
# The endpoints without a version of masters and agents, as Mesos' documents show them: what they
# call by curl is called with the same arguments.
. "$(dirname "$0")/lib.sh"

# page ADDRESS PATH [TEXT...]: a page of JSON, and what it contains.
page() {
    request "$2" 200 "http://$1$2"
    has_header 'Content-Type: application/json'
    shift 2
    has "$@"
}

run '"command": {"value": "sleep 1000"}'
hears events '"state": "TASK_RUNNING"'
scheduler ACKNOWLEDGE 202 <<END
{"framework_id": {"value": "$framework"}, "type": "ACKNOWLEDGE", "acknowledge": {"agent_id":
 {"value": "$agent"}, "task_id": {"value": "my-task"}, "uuid": "$(last events '"uuid":"([^"]*)"')"}}
END

request /health 200 "http://$MASTER/health"
request /master/health 200 "http://$MASTER/master/health"
page "$MASTER" /version '"version": "'
page "$MASTER" /flags '"flags": {' '"work_dir": "'
request /redirect 307 "http://$MASTER/redirect"
has_header "Location: //$MASTER"
page "$MASTER" /metrics/snapshot '"master/elected": 1.0' '"master/slaves_active": 1.0'
page "$MASTER" '/metrics/snapshot?timeout=2secs' '"system/cpus_total"'
page "$MASTER" /system/stats.json '"avg_load_1min": ' '"cpus_total": ' '"mem_total_bytes": '
request /logging/toggle 200 "http://$MASTER/logging/toggle"
has 0
request /logging/toggle 400 "http://$MASTER/logging/toggle?level=1"
has "Expecting 'duration=value' in query."
request /logging/toggle 200 "http://$MASTER/logging/toggle?level=1&duration=10secs"
is_empty

page "$MASTER" /state '"version": "' "\"id\": \"${agent%-S*}\"" '"hostname": "' \
    '"activated_slaves": 1' '"deactivated_slaves": 0' '"leader": "' '"flags": {' '"slaves": [{' \
    '"frameworks": [{' '"completed_frameworks": [' '"start_time": ' '"elected_time": ' \
    '"tasks": [{' '"state": "TASK_RUNNING"'
page "$MASTER" /master/state '"slaves": [{'
page "$MASTER" /state-summary '"slaves": [{' "\"id\": \"$framework\"" '"TASK_RUNNING": 1'
page "$MASTER" /slaves "\"id\": \"$agent\"" '"reserved_resources_full": {' '"recovered_slaves": ['
page "$MASTER" "/slaves?slave_id=$agent" "\"id\": \"$agent\""
page "$MASTER" '/slaves?slave_id=x' '"slaves": []'
page "$MASTER" /frameworks '"frameworks": [{' '"completed_frameworks": [' '"name": "curl"' \
    "\"id\": \"$framework\""
page "$MASTER" "/frameworks?framework_id=$framework" '"name": "curl"'
page "$MASTER" '/frameworks?framework_id=x' '"frameworks": []'
page "$MASTER" /tasks '"tasks": [{' '"id": "my-task"' '"state": "TASK_RUNNING"' \
    "\"slave_id\": \"$agent\""
page "$MASTER" '/tasks?limit=1&offset=0&order=asc' '"id": "my-task"'
page "$MASTER" '/tasks?offset=1' '"tasks": []'
page "$MASTER" "/tasks?framework_id=$framework&task_id=my-task" '"id": "my-task"'
page "$MASTER" '/tasks?task_id=x' '"tasks": []'
page "$MASTER" /roles '"roles": [{' '"name": "engineering"' "\"frameworks\": [\"$framework\"]" \
    '"weight": 1.0'

weights='[{"role": "role1", "weight": 2.0}, {"role": "role2", "weight": 3.5}]'
request /weights 200 -d "$weights" -X PUT "http://$MASTER/weights"
request /weights 200 -X GET "http://$MASTER/weights"
has '{"role": "role1", "weight": 2.0}' '{"role": "role2", "weight": 3.5}'
request /weights 400 -d '[{"role": "role1", "weight": -1}]' -X PUT "http://$MASTER/weights"

# quota FIELDS: the example, with more fields.
quota() {
    cat <<END
{$1 "role": "role1", "guarantee": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 12}},
 {"name": "mem", "type": "SCALAR", "scalar": {"value": 6144}}]}
END
}

# The example asks for more than this cluster has.
request /quota 409 -d "$(quota '')" -X POST "http://$MASTER/quota"
request /quota 200 -d "$(quota '"force": true,')" -X POST "http://$MASTER/quota"
request /quota 400 -d "$(quota '"force": true,')" -X POST "http://$MASTER/quota"
request /quota 200 -X GET "http://$MASTER/quota"
has '"infos": [{' '"role": "role1"' '"guarantee": [{' '"scalar": {"value": 12.0}'
request /quota/role1 200 -X DELETE "http://$MASTER/quota/role1"
request /quota/role1 400 -X DELETE "http://$MASTER/quota/role1"

cat >"$work/machines.json" <<'END'
[
  { "hostname" : "machine1", "ip" : "10.0.0.1" },
  { "hostname" : "machine2", "ip" : "10.0.0.2" }
]
END
cat >"$work/schedule.json" <<END
{
  "windows" : [
    {
      "machine_ids" : $(cat "$work/machines.json"),
      "unavailability" : {
        "start" : { "nanoseconds" : 1443830400000000000 },
        "duration" : { "nanoseconds" : 3600000000000 }
      }
    }, {
      "machine_ids" : [ { "hostname" : "machine3", "ip" : "10.0.0.3" } ],
      "unavailability" : {
        "start" : { "nanoseconds" : 1443834000000000000 },
        "duration" : { "nanoseconds" : 3600000000000 }
      }
    }
  ]
}
END
# posts PATH FILE STATUS
posts() {
    request "$1" "$3" "http://$MASTER/master$1" -H 'Content-type: application/json' -X POST \
        -d "@$work/$2"
}
posts /maintenance/schedule schedule.json 200
page "$MASTER" /maintenance/schedule '"windows": [{' '"unavailability": {' \
    "\"machine_ids\": $(cat "$work/machines.json")" '{"hostname": "machine3", "ip": "10.0.0.3"}' \
    '"duration": {"nanoseconds": 3600000000000}' '"start": {"nanoseconds": 1443830400000000000}' \
    '"start": {"nanoseconds": 1443834000000000000}'
page "$MASTER" /maintenance/status '"draining_machines": [' '"hostname": "machine1"'
posts /machine/down machines.json 200
page "$MASTER" /maintenance/status '"down_machines": [' '"hostname": "machine3"'
posts /machine/down machines.json 400
posts /machine/up machines.json 200
page "$MASTER" /maintenance/schedule '"machine3"'
has_not '"machine1"'
echo '{"windows": []}' >"$work/schedule.json"
posts /maintenance/schedule schedule.json 200

by='"role": "ads", "reservation": {"principal": "operator"}'
resources='[
    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, '$by'},
    {"name": "mem", "type": "SCALAR", "scalar": {"value": 128}, '$by'},
    {"name": "disk", "type": "SCALAR", "scalar": {"value": 512}, '$by'}
  ]'
volumes='[{"name": "disk", "type": "SCALAR", "scalar": {"value": 512}, '$by',
  "disk": {"persistence": {"id": "v", "principal": "operator"},
           "volume": {"mode": "RW", "container_path": "path"}}}]'

# form PATH STATUS FIELD...: the form that the examples of operations send.
form() {
    local path=$1 expected=$2 field
    local fields=()
    shift 2
    for field in "$@"; do
        fields+=(-d "$field")
    done
    request "$path" "$expected" -i -u operator:password "${fields[@]}" -X POST \
        "http://$MASTER/master$path"
}

form /reserve 202 "slaveId=$agent" "resources=$resources"
page "$MASTER" /slaves '"ads": [' '"principal": "operator"'
form /create-volumes 202 "slaveId=$agent" "volumes=$volumes"
page "$MASTER" /slaves '"persistence": {"id": "v"'
form /unreserve 409 "slaveId=$agent" "resources=$resources"
form /destroy-volumes 202 "slaveId=$agent" "volumes=$volumes"
form /unreserve 202 "slaveId=$agent" "resources=$resources"
page "$MASTER" /slaves
has_not '"ads"'
form /reserve 400 "resources=$resources"
form /reserve 400 'slaveId=x' "resources=$resources"

request /health 200 "http://$AGENT/health"
page "$AGENT" /version '"version": "'
page "$AGENT" /flags '"flags": {' '"work_dir": "'
page "$AGENT" /metrics/snapshot '"slave/registered": 1.0' '"slave/tasks_running": 1.0'
page "$AGENT" /system/stats.json '"avg_load_1min": ' '"cpus_total": ' '"mem_total_bytes": '
request /logging/toggle 200 "http://$AGENT/logging/toggle?level=1&duration=10secs"
page "$AGENT" /state "\"id\": \"$agent\"" '"frameworks": [{' '"executors": [{' '"tasks": [{' \
    '"resources": {' '"reserved_resources_full": {' '"attributes": {' '"master_hostname": "'
page "$AGENT" '/slave(1)/state' "\"id\": \"$agent\""
page "$AGENT" /containers '"container_id": "' "\"framework_id\": \"$framework\"" \
    '"executor_id": "my-task"' '"statistics": {' '"mem_limit_bytes": ' '"status": {'
page "$AGENT" /monitor/statistics '"executor_id": "my-task"' '"statistics": {' '"cpus_limit": '
folder=$(curl -s "http://$AGENT/state" | grep -oE '"directory":"[^"]*' | head -n 1 | cut -d '"' -f 4)
page "$AGENT" "/files/browse?path=$folder" "\"path\": \"$folder/stdout\"" '"nlink": 1' '"mode": "-rw'
page "$AGENT" "/files/read?path=$folder/stdout&offset=0&length=1" '"data": ""' '"offset": 0'
page "$AGENT" "/files/read?path=$folder/stdout" '"data": ""' '"offset": 0'
request /files/download 200 "http://$AGENT/files/download?path=$folder/stdout"
request /files/browse 400 "http://$AGENT/files/browse"
request /files/browse 404 "http://$AGENT/files/browse?path=/nowhere"
page "$AGENT" "/files/browse?path=/frameworks/$framework/executors/my-task/runs/latest" \
    "runs/latest/stdout"
page "$AGENT" /files/debug

form /teardown 200 "frameworkId=$framework"
ends events
form /teardown 400 "frameworkId=$framework"
page "$MASTER" /frameworks '"completed_frameworks": [{'
