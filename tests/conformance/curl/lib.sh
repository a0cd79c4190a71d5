# What the scripts here share: calls by curl alone, and a look at the answers. Each script prints a
# line for each call that it makes, its name and the status of the answer, and fails when an answer
# is not the documented one. It wants a cluster for itself:
#
#     MASTER=127.0.0.1:5050 AGENT=127.0.0.1:5051 tests/conformance/curl/scheduler.sh
set -euo pipefail

: "${MASTER:?the address of a master, host:port}"
: "${AGENT:?the address of its only agent, host:port}"
# How long anything may take, in seconds, before it counts as never.
patience=${PATIENCE:-60}
user=$(id -un)
work=$(mktemp -d)
# The curl of each stream.
declare -A process
failures=0

finish() {
    local status=$?
    [ ${#process[@]} = 0 ] || kill "${process[@]}" 2>/dev/null || true
    rm -rf "$work"
    trap - EXIT
    [ "$failures" = 0 ] || exit 1
    exit "$status"
}
trap finish EXIT

# wrong TEXT: notes what is not as documented, and goes on.
wrong() {
    echo "WRONG: $1"
    failures=$((failures + 1))
}

# give_up TEXT: what follows would make no sense.
give_up() {
    wrong "$1"
    exit 1
}

# White space means nothing in what is compared.
squeezed() {
    tr -d '[:space:]'
}

# request NAME STATUS ARGUMENT...: a request by curl, and the status that its answer must have.
request() {
    name=$1
    local expected=$2 status
    shift 2
    : >"$work/body"
    status=$(curl --silent --show-error --max-time "$patience" --write-out '%{http_code}' \
        --output "$work/body" --dump-header "$work/head" "$@") || true
    echo "$name $status"
    [ "$status" = "$expected" ] ||
        wrong "$name: not $expected but $status: $(head -c 1000 "$work/body")"
}

# has TEXT...: the answer contains each of these pieces of JSON, or of text.
has() {
    local text
    for text in "$@"; do
        grep -qF -- "$(squeezed <<<"$text")" <(squeezed <"$work/body") ||
            wrong "$name: no $text in $(head -c 4000 "$work/body")"
    done
}

# has_not TEXT: the answer does not contain it.
has_not() {
    ! grep -qF -- "$(squeezed <<<"$1")" <(squeezed <"$work/body") ||
        wrong "$name: $1 in $(head -c 4000 "$work/body")"
}

# is_empty: the answer has no body.
is_empty() {
    [ ! -s "$work/body" ] || wrong "$name: not empty: $(head -c 1000 "$work/body")"
}

# has_header TEXT: the head of the answer has this line.
has_header() {
    grep -qiF -- "$1" "$work/head" || wrong "$name: no header $1 in $(cat "$work/head")"
}

# v1 ADDRESS NAME STATUS: a call of an operator, whose JSON is on standard input.
v1() {
    local url=http://$1/api/v1
    shift
    request "$@" --request POST "$url" --data-binary @- \
        --header 'Content-Type: application/json' --header 'Accept: application/json'
}

# ask ADDRESS NAME [TEXT...]: a call that has nothing but its name, and what its answer contains.
ask() {
    local address=$1 kind=$2
    shift 2
    v1 "$address" "$kind" 200 <<<"{\"type\": \"$kind\"}"
    has_header 'Content-Type: application/json'
    has "\"type\": \"$kind\"" "$@"
}

# stream NAME URL ARGUMENT...: a request whose answer does not end. Its head and its records go to
# the stream's file; its JSON is on standard input.
stream() {
    local name=$1 file=$work/$1 url=$2
    shift 2
    cat >"$file.call"
    curl --silent --no-buffer --include --request POST "$url" "$@" \
        --header 'Content-Type: application/json' --data-binary "@$file.call" >"$file" &
    process[$name]=$!
    disown
}

# eventually TEXT COMMAND...: waits for the command to succeed.
eventually() {
    local what=$1 until=$((SECONDS + patience))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || give_up "never: $what"
        sleep 0.05
    done
}

said() {
    grep -qF -- "$2" <(squeezed <"$work/$1")
}

# hears STREAM TEXT: waits until that is said on the stream.
hears() {
    eventually "$2 on $1: $(tail -c 2000 "$work/$1")" said "$1" "$(squeezed <<<"$2")"
}

# opens NAME STREAM: waits for the head of a stream's answer, which must be 200 and in chunks.
opens() {
    eventually "an answer on $2" test -s "$work/$2"
    eventually "the head of $2" grep -q $'^\r$' "$work/$2"
    echo "$1 $(sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p' "$work/$2")"
    local line
    for line in 'HTTP/1.1 200 OK' 'Transfer-Encoding: chunked'; do
        grep -qi -- "^$line" "$work/$2" || give_up "$1: no $line in $(cat "$work/$2")"
    done
}

gone() {
    ! kill -0 "$1" 2>/dev/null
}

# ends STREAM: waits until the server has ended the stream.
ends() {
    eventually "the end of $1" gone "${process[$1]}"
}

# last FILE PATTERN: the last thing in a file of the scratch folder that is between the parentheses
# of an extended pattern.
last() {
    squeezed <"$work/$1" | grep -oE -- "$2" | tail -n 1 | sed -E "s/$2/\1/"
}

# The quantities of a task, as Mesos' documents have them.
resources() {
    cat <<END
[{"allocation_info": {"role": "$1"}, "name": "cpus", "role": "*", "type": "SCALAR",
  "scalar": {"value": $2}},
 {"allocation_info": {"role": "$1"}, "name": "mem", "role": "*", "type": "SCALAR",
  "scalar": {"value": $3}}]
END
}

# scheduler NAME STATUS: a call of the framework that has subscribed, whose JSON is on standard
# input.
scheduler() {
    request "$@" --request POST "http://$MASTER/api/v1/scheduler" --data-binary @- \
        --header 'Content-Type: application/json' --header "Mesos-Stream-Id: $stream_id"
    [ "$2" != 202 ] || is_empty
}

# subscribe STREAM [ARGUMENT...]: opens a scheduler's stream with the SUBSCRIBE on standard input;
# its ids are then in `framework` and `stream_id`.
subscribe() {
    local name=$1
    shift
    stream "$name" "http://$MASTER/api/v1/scheduler" --header 'Accept: application/json' "$@"
    opens SUBSCRIBE "$name"
    stream_id=$(sed -n 's/^mesos-stream-id: *\([^\r]*\)\r$/\1/Ip' "$work/$name")
    [ -n "$stream_id" ] && [ ${#stream_id} -le 128 ] ||
        give_up "SUBSCRIBE: the id of the stream is '$stream_id'"
    hears "$name" '"type": "SUBSCRIBED"'
    hears "$name" '"heartbeat_interval_seconds": 15'
    framework=$(last "$name" '"framework_id":\{"value":"([^"]*)"\}')
}

another_offer() {
    offer=$(last "$1" '"id":\{"value":"([^"]*-O[0-9]+)"\}')
    [ -n "$offer" ] && [ "$offer" != "$2" ]
}

# next_offer STREAM: waits for an offer after that of before; its id is then in `offer`, that of the
# agent in `agent`.
next_offer() {
    eventually "an offer after '${offer:-}'" another_offer "$1" "${offer:-}"
    agent=$(last "$1" '"agent_id":\{"value":"([^"]*-S[0-9]+)"\}')
}

# run TASK: subscribes a framework with the role `engineering` on the stream `events`, and runs a
# task of which the JSON has its `command` or `executor`.
run() {
    subscribe events <<END
{"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "$user", "name": "curl",
 "checkpoint": true, "roles": ["engineering"], "capabilities": [{"type": "MULTI_ROLE"}]}}}
END
    next_offer events
    scheduler ACCEPT 202 <<END
{"type": "ACCEPT", "framework_id": {"value": "$framework"}, "accept": {
 "offer_ids": [{"value": "$offer"}], "filters": {"refuse_seconds": 5.0}, "operations": [
 {"type": "LAUNCH", "launch": {"task_infos": [{"name": "My Task", "task_id": {"value": "my-task"},
  "agent_id": {"value": "$agent"}, "resources": $(resources engineering 0.1 32), $1}]}}]}}
END
}
