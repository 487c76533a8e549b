#!/usr/bin/env bash
# A worker in Bash, with redis-cli, and with python3 for JSON:  bash upper.sh PORT
# It does the task `text:shout`, which writes a text in capitals, one task at a time. If it dies, its entry stays
# pending: plain.py shows how another worker reclaims it.
set -euo pipefail

redis() { redis-cli -p "$port" --raw "$@"; }
json() { python3 -c "import json, sys; $1" "${@:2}"; }

port=$1 stream=workflows:run group=shout me=shout-$$
redis XGROUP CREATE $stream $group 0 MKSTREAM >/dev/null 2>&1 || true

while true; do
    # The stream, the entry id, then names and values of one event, a line each: every value is JSON in one line.
    mapfile -t lines < <(redis XREADGROUP GROUP $group $me COUNT 1 BLOCK 1000 STREAMS $stream '>')
    ((${#lines[@]} > 2)) || { sleep 0.1; continue; } # nothing new, or no connection to Redis
    id=${lines[1]}
    declare -A event=()
    for ((i = 2; i + 1 < ${#lines[@]}; i += 2)); do event[${lines[i]}]=${lines[i + 1]}; done
    if [[ ${event[kind]:-} == '"start-task"' && ${event[base]:-} == '"text:shout"' ]]; then
        if output=$(json 'print(json.dumps({"text": json.loads(sys.argv[1])["text"].upper()}))' "${event[input]:-}"); then
            answer=(status '"SUCCESS"' output "$output")
        else
            answer=(status '"FAILURE"' reason '"the input has no text"')
        fi
        for name in workflow name index attempt run; do answer+=("$name" "${event[$name]:-null}"); done
        redis XADD $stream '*' kind '"end-task"' apiVersion '"v1"' "${answer[@]}" >/dev/null
        redis XADD $stream '*' kind '"receipt"' apiVersion '"v1"' for "\"$id\"" action '"processed"' >/dev/null
    fi
    redis XACK $stream $group "$id" >/dev/null
done
