#!/bin/bash
# Functions that the scripts of the tests share. A script ends at the first command that fails, and shows it.
set -euo pipefail
trap 'code=$?; ((code == 0)) || show_failure $code "$BASH_COMMAND" "$LINENO"' EXIT

show_failure() {
  echo "line $3 of the script: $2: exit code $1"
  journalctl --no-pager -q -o short-monotonic -u 'lfr*' | grep -v '"receipt"' | tail -40 || true
}

ROLES="lifecycle wait simulate receipts api console"
printf '@flow quick\na -> wait:delay (- duration: 0.2 -) -> { b c } -> d\n' >quick.flow

# Run a command until it succeeds. Fails after 160 seconds, far more than a busy machine needs.
eventually() {
  local end=$((SECONDS + 160))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then
      echo "still not: $*"
      return 1
    fi
    sleep 0.1
  done
}

# Print a property of a unit.
property() { systemctl show --property="$2" --value "$1"; }

# Succeed if a property of a unit is this.
is() { [[ $(property "$1" "$2") == "$3" ]]; }

# Succeed if a property of a unit begins with this.
begins() { [[ $(property "$1" "$2") == "$3"* ]]; }

# Succeed if a property of a unit contains this.
contains() { [[ $(property "$1" "$2") == *"$3"* ]]; }

restarts() { for role in $ROLES; do property "lfr@$role" NRestarts; done | paste -sd' '; }

# Send a GET; print the status and write the body to the file `response`.
get() {
  python3 - "$@" <<'END'
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

url, *token = sys.argv[1:]
headers = {"Authorization": f"Bearer {token[0]}"} if token else {}
try:
    reply = urlopen(Request(url, headers=headers), timeout=60)
except HTTPError as error:
    reply = error
open("response", "wb").write(reply.read())
print(reply.status)
END
}

# Install lfr on the bare system. Simulated tasks end at once.
install_lfr() {
  mkdir -p /etc/lfr
  echo 'LFR_OPTIONS=--wait-period 0.1' >/etc/lfr/simulate.env
  ./lfr install --enable $ROLES --now 2>install.log || { cat install.log; return 1; }
}

# Write the file FROM with another build id to TO.
another_build() {
  python3 - "$@" <<'END'
import os, re, sys, zipfile

source, target, number = sys.argv[1:]
with zipfile.ZipFile(source) as old, open(target, "wb") as file:
    file.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.infolist():
            content = old.read(each)
            if each.filename == "__main__.py":
                content = re.sub(rb'BUILD_ID = "\w+"', b'BUILD_ID = "another%s"' % number.encode(), content)
            new.writestr(each, content)
os.chmod(target, 0o755)
END
}

# Print the number of workflows in a state.
count() { lfr status --json | python3 -c "import json, sys; print(json.load(sys.stdin)['workflows']['$1'])"; }

# Succeed if each role is alive, as one process.
each_is_once() {
  test "$(lfr status --json | python3 -c "import json, sys
print(*sorted(role['name'] for role in json.load(sys.stdin)['roles']))")" = "$(printf '%s\n' $ROLES | sort | paste -sd' ')"
}
