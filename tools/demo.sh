#!/usr/bin/env bash
# Shows what Tepui does, for real, on this machine: a master, three agents, a web service in three
# replicas, a word count over the system's own texts, and the offers behind it all. Exits 0 only if
# every replica answered and the count equals a plain sequential one.
set -euo pipefail
cd "$(dirname "$0")/.."

tepui=$PWD/bin/tepui
folder=$(mktemp -d)
dev=''
watch=''
as_root=()
isolation=()
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null || [ -t 0 ]; then
        as_root=(sudo --preserve-env=PATH)
    else
        echo "demo: containers need root and sudo would ask for a password: running without isolation"
        isolation=(--isolation none)
    fi
fi

finish() {
    status=$?
    [ -z "$watch" ] || kill "$watch" 2>/dev/null || true
    if [ -n "$dev" ]; then
        "${as_root[@]}" kill "$dev" 2>/dev/null || true
        wait "$dev" 2>/dev/null || true
    fi
    if [ "$status" != 0 ]; then
        echo "demo: failed; the cluster said:"
        tail -n 20 "$folder/dev.log"
    fi
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
tepui() { "$tepui" "$@"; }

title "A cluster on this machine: a master, three agents, two frameworks"
export TEPUI_MASTER=127.0.0.1:${TEPUI_DEMO_PORT:-5050}
"${as_root[@]}" "$tepui" dev --agents 3 --listen "$TEPUI_MASTER" "${isolation[@]}" \
    > "$folder/dev.log" 2>&1 &
dev=$!
for _ in $(seq 600); do
    if grep -q 'the cluster runs' "$folder/dev.log"; then break; fi
    kill -0 "$dev" 2>/dev/null || exit 1
    sleep 0.05
done
grep -q 'the cluster runs' "$folder/dev.log"
show tepui agents
"$tepui" offers --watch > "$folder/offers.log" 2>/dev/null &
watch=$!

title "One command as a task, in a container of its own"
show tepui run -- sh -c 'echo "hello from pid $$ on $(hostname)"'

title "A web service in three replicas, health-checked, on ports from the offers"
show tepui service deploy --wait 60s examples/service/web.yaml
show tepui service status web
echo
tepui service status web -o json \
    | sed -n 's/^ *"\(hostname\|number\)": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\2/p' \
    | paste - - > "$folder/replicas"
[ "$(wc -l < "$folder/replicas")" = 3 ]
while read -r host port; do
    show curl -sSf --max-time 10 "http://$host:$port/"
done < "$folder/replicas"

title "A batch job: the words of this machine's headers and licences, mapped, shuffled, reduced"
show tepui batch submit --wait examples/batch/wordcount.yaml
job=$(tepui batch ls -o json | sed -n 's/^ *"id": "\(.*\)",$/\1/p' | tail -n 1)
echo
echo "the ten most frequent words:"
tepui batch result "$job" > "$folder/words"
sort -t "$(printf '\t')" -k2,2nr -k1,1 "$folder/words" | head -n 10 || true
echo
show tepui batch verify "$job"

title "Where each task ran"
show tepui ps --all

title "Offers, as an operator sees them over gRPC (the last of $(wc -l < "$folder/offers.log") changes)"
tail -n 6 "$folder/offers.log"
[ -s "$folder/offers.log" ]

title "Everything worked. The cluster is ended; 'bin/tepui dev' starts one for you"
