"""lfr as services: installed from the one file on a bare system, killed, frozen, stopped, without Redis."""

from __future__ import annotations

from pathlib import Path

from tests.systemd.box import in_box


def test_a_bare_system_runs_workflows_after_one_command(tmp_path: Path) -> None:
    in_box(
        """
        install_lfr
        lfr run quick.flow --wait --timeout 160
        lfr status
        for unit in lfr.target lfr-valkey $(printf 'lfr@%s ' $ROLES); do
          is $unit ActiveState active
          is $unit UnitFileState enabled
        done
        eventually begins lfr@wait StatusText "0 to read, 0 pending; "

        # The installed units are valid and confined.
        cd /etc/systemd/system
        test -z "$(systemd-analyze verify ./lfr{@.service,.target,-valkey.service} lfr@wait.service 2>&1)"
        for unit in lfr-valkey $(printf 'lfr@%s ' $ROLES); do
          systemd-analyze security --threshold=15 $unit >/dev/null
        done
        test "$(stat -c '%U %a' /etc/lfr/credentials /var/lib/lfr /var/lib/lfr-valkey | paste -sd,)" = \\
          "root 700,lfr 700,lfr-valkey 700"

        # API and console need the same token, which only lfr and root can read.
        for url in 127.0.0.1:5000/workflows 127.0.0.1:8000/api/workflows; do
          test "$(get http://$url)" = 401
          test "$(get http://$url "$(cat /var/lib/lfr/api-token)")" = 200
          grep -q FINISHED response
        done
        test "$(get http://127.0.0.1:8000/)" = 200
        grep -q '<title>lfr</title>' response
        test "$(stat -c '%U %a' /var/lib/lfr/api-token)" = "lfr 600"

        # Log entries have a priority and fields.
        journalctl -q -o json -p info -n 1 LFR_ROLE=wait | grep '"PRIORITY":"6"'
        eventually grep -q end-workflow /var/log/lfr/receipts.jsonl
        """,
        tmp_path,
    )


def test_the_log_of_a_workflow_is_found_by_its_fields(tmp_path: Path) -> None:
    in_box(
        """
        install_lfr
        echo 'LFR_OPTIONS=--wait-period 0 --failures 100' >/etc/lfr/simulate.env
        systemctl restart lfr@simulate
        id=$(lfr run quick.flow)
        eventually sh -c "journalctl -q -o cat LFR_WORKFLOW=$id LFR_STEP=1 | grep 'simulated failure'"
        """,
        tmp_path,
    )


def test_a_reload_applies_the_log_level_and_names_settings_that_need_a_restart(tmp_path: Path) -> None:
    in_box(
        """
        install_lfr
        pid=$(property lfr@lifecycle MainPID)
        printf 'log:\\n  level: DEBUG\\nlease: 7\\n' >/etc/lfr/lfr.yaml
        systemctl reload lfr@lifecycle
        eventually sh -c "journalctl -q -o cat -u lfr@lifecycle | grep 'restart the role.*lease'"
        id=$(lfr run quick.flow)
        lfr follow $id --timeout 160
        eventually sh -c "journalctl -q -o cat -p debug LFR_WORKFLOW=$id | grep finished"

        # An invalid configuration changes nothing.
        echo 'lease: soon' >/etc/lfr/lfr.yaml
        systemctl reload lfr@lifecycle
        eventually sh -c "journalctl -q -o cat -u lfr@lifecycle | grep 'nothing changes'"
        is lfr@lifecycle MainPID $pid

        # But a role does not start with it, and systemd does not retry.
        systemctl restart lfr@lifecycle || true
        is lfr@lifecycle ActiveState failed
        is lfr@lifecycle ExecMainStatus 78
        is lfr@lifecycle NRestarts 0
        code=0; lfr status --config /dev/null >status.out 2>&1 || code=$?
        test $code = 69
        grep -q 'lfr@lifecycle.service does not run' status.out
        """,
        tmp_path,
    )


def test_roles_that_are_killed_or_hang_are_restarted_and_work_goes_on(tmp_path: Path) -> None:
    in_box(
        """
        mkdir -p /etc/systemd/system/lfr@.service.d
        printf '[Service]\\nWatchdogSec=4\\n' >/etc/systemd/system/lfr@.service.d/quick.conf
        mkdir -p /etc/lfr
        printf 'lease: 1\\ntasks:\\n  lease: 2\\nredis:\\n  timeout: 1\\n' >/etc/lfr/lfr.yaml
        install_lfr
        for role in $ROLES; do
          for n in 1 2 3 4 5; do lfr run quick.flow >/dev/null; done
          systemctl kill --kill-whom=main --signal=KILL lfr@$role
          eventually is lfr@$role NRestarts 1
          eventually is lfr@$role ActiveState active
        done
        all_finished() { test "$(count FINISHED)" = 30; }
        eventually all_finished

        # A role that hangs stops notifying the watchdog; so does a web server that does not respond.
        systemctl kill --kill-whom=main --signal=STOP lfr@console
        pid=$(property lfr@wait MainPID)
        systemctl kill --kill-whom=main --signal=STOP lfr@wait
        lfr run quick.flow --wait --timeout 160
        is lfr@wait NRestarts 2
        test $pid != $(property lfr@wait MainPID)
        journalctl -q -o cat -u lfr@wait | grep -q 'Watchdog timeout'
        eventually is lfr@console NRestarts 2
        eventually is lfr@console ActiveState active
        test "$(get http://127.0.0.1:8000/)" = 200
        test "$(restarts)" = "1 2 1 1 1 2"
        """,
        tmp_path,
    )


def test_without_redis_roles_stay_up_report_it_and_go_on_when_it_is_back(tmp_path: Path) -> None:
    in_box(
        """
        mkdir -p /etc/systemd/system/lfr@.service.d /etc/lfr
        printf '[Service]\\nWatchdogSec=4\\n' >/etc/systemd/system/lfr@.service.d/quick.conf
        printf 'redis:\\n  timeout: 1\\n' >/etc/lfr/lfr.yaml
        install_lfr
        id=$(lfr run quick.flow)
        lfr follow $id --timeout 160
        systemctl stop lfr-valkey
        for role in lifecycle wait simulate receipts; do
          eventually begins lfr@$role StatusText "no Redis answers at unix:///run/lfr-valkey/valkey.sock"
        done
        for role in api console; do eventually contains lfr@$role StatusText "; no Redis answers at"; done
        test "$(get http://127.0.0.1:5000/health/live)" = 200
        test "$(get http://127.0.0.1:5000/health/ready)" = 503
        code=0; lfr status >/dev/null 2>&1 || code=$?
        test $code = 75
        sleep 30 # much longer than the watchdog waits
        test "$(restarts)" = "0 0 0 0 0 0"

        # A role that starts now becomes ready, too.
        systemctl restart lfr@wait
        begins lfr@wait StatusText "no Redis answers"

        # A Redis that accepts connections and does not reply counts as down.
        systemctl start lfr-valkey
        systemctl kill --kill-whom=main --signal=STOP lfr-valkey
        sleep 5
        systemctl kill --kill-whom=main --signal=CONT lfr-valkey
        lfr run quick.flow --wait --timeout 160
        lfr inspect $id >/dev/null # no data is lost
        test "$(restarts)" = "0 0 0 0 0 0"
        """,
        tmp_path,
    )


def test_a_stop_drains_and_the_next_start_goes_on(tmp_path: Path) -> None:
    in_box(
        """
        install_lfr
        ids=$(for n in 1 2 3; do lfr run quick.flow; done)
        systemctl stop lfr.target
        for unit in lfr-valkey $(printf 'lfr@%s ' $ROLES); do
          eventually is $unit ActiveState inactive
          is $unit Result success
        done
        systemctl start lfr.target
        all_finished() { test "$(count FINISHED)" = 3; }
        eventually all_finished
        eventually each_is_once # stopped processes are no longer listed
        """,
        tmp_path,
    )


def test_the_functions_of_a_file_are_a_service(tmp_path: Path) -> None:
    in_box(
        """
        mkdir -p /srv/tasks /etc/lfr
        echo 'from lfr import task' >/srv/tasks/text.py
        echo '@task("text:double")' >>/srv/tasks/text.py
        echo 'def double(input): return input * 2' >>/srv/tasks/text.py
        echo 'LFR_OPTIONS=/srv/tasks/text.py' >/etc/lfr/tasks.env
        echo 'LFR_OPTIONS=/srv/tasks/text.py --processes 2' >/etc/lfr/tasks.2.env
        ./lfr install --enable lifecycle tasks --now
        echo 'text:double' >double.flow
        run() { lfr run double.flow --input '[7]' --wait --timeout 160; }
        run
        systemctl stop lfr@tasks
        systemctl start lfr@tasks.2
        run
        systemctl reload lfr@tasks.2
        run
        is lfr@tasks.2 NRestarts 0
        systemctl stop lfr@tasks.2
        is lfr@tasks.2 Result success
        """,
        tmp_path,
    )


def test_a_password_is_a_credential(tmp_path: Path) -> None:
    in_box(
        """
        mkdir -p -m 700 /etc/lfr/credentials
        echo 'no secret here' >/etc/lfr/credentials/redis.password
        ./lfr units valkey.conf >/etc/lfr/valkey.conf
        sed -i 's/^# requirepass .*/requirepass "no secret here"/' /etc/lfr/valkey.conf
        install_lfr
        REDIS_PASSWORD='no secret here' lfr run quick.flow --wait --timeout 160
        code=0; lfr status 2>/dev/null || code=$?
        test $code = 77
        """,
        tmp_path,
    )


def test_a_role_gets_its_own_credentials_only(tmp_path: Path) -> None:
    in_box(
        """
        mkdir -p -m 700 /etc/lfr/credentials
        for name in redis.username request.token api.token api.read_token; do
            echo "secret-of-$name" >/etc/lfr/credentials/$name
        done
        rm /etc/lfr/credentials/redis.username
        install_lfr
        ./lfr install --enable request request.2 --now 2>&1
        secrets() { grep -rhs . /run/credentials/lfr@$1.service | sort | paste -sd' '; }
        eventually is lfr@request.2 ActiveState active
        test "$(secrets lifecycle)" = ''
        test "$(secrets wait)" = ''
        test "$(secrets request)" = 'secret-of-request.token'
        test "$(secrets request.2)" = 'secret-of-request.token'
        test "$(secrets api)" = 'secret-of-api.read_token secret-of-api.token'
        lfr uninstall --purge >/dev/null 2>&1
        test -z "$(find /etc/systemd -name '*lfr*')"
        """,
        tmp_path,
    )


def test_a_newer_file_replaces_the_old_one_and_uninstall_leaves_nothing(tmp_path: Path) -> None:
    in_box(
        """
        install_lfr
        echo 'lease: 6' >/etc/lfr/lfr.yaml
        pid=$(property lfr@wait MainPID)
        store=$(property lfr-valkey MainPID)
        lfr install --enable wait.2 --now 2>&1
        test $pid != $(property lfr@wait MainPID)
        is lfr-valkey MainPID $store
        is lfr@wait.2 ActiveState active
        eventually begins lfr@api StatusText "listens at http://"
        test "$(cat /etc/lfr/lfr.yaml)" = 'lease: 6'
        lfr run quick.flow --wait --timeout 160
        eventually sh -c "lfr status | grep '^wait.2 '"

        # Two newer builds, and the roles still run this one: it stays, and so does the build before.
        umask 027
        for number in 1 2; do
            another_build ./lfr ./lfr-$number $number
            ./lfr-$number install 2>&1
        done
        test $(ls -d /usr/local/lib/lfr/lfr_* | wc -l) = 3
        systemctl restart lfr@wait
        eventually is lfr@wait ActiveState active
        # Back to the first build, which is the oldest.
        ./lfr install --now 2>&1
        eventually is lfr@wait ActiveState active
        lfr run quick.flow --wait --timeout 160
        umask 022
        mkdir -p /etc/systemd/system/lfr@wait.service.d
        printf '[Service]\nNice=1\n' >/etc/systemd/system/lfr@wait.service.d/override.conf

        lfr uninstall 2>&1
        test -f /etc/lfr/lfr.yaml -a -d /var/lib/lfr-valkey/appendonlydir
        test -z "$(pgrep -f '/usr/local/(bin|lib)/lfr')"
        ./lfr uninstall --purge >/dev/null 2>&1
        test -z "$(find /etc /usr/local /var/lib /var/log -xdev -name '*lfr*')"
        test -z "$(getent passwd lfr lfr-valkey)"
        """,
        tmp_path,
    )


def test_receipts_are_complete(tmp_path: Path) -> None:
    """More than the journal takes from a service in half a minute, and lines that are longer than its own."""
    in_box(
        """
        install_lfr
        echo '* a' >items.flow
        echo 'b' >large.flow
        python3 -c "import json; print(json.dumps(list(range(5000))))" >items.json
        python3 -c "import json; print(json.dumps({'text': 'x' * 200_000}))" >large.json
        lfr run large.flow --input @large.json --wait --timeout 160
        lfr run items.flow --input @items.json --wait --timeout 500 >/dev/null
        eventually sh -c 'test $(cat /var/log/lfr/receipts.jsonl* | grep -c end-workflow) -ge 5002'
        python3 - /var/log/lfr/receipts.jsonl <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
targets = [line["target"] for line in lines if line["target"]]
ends = {target["workflow"] for target in targets if target["kind"] == "end-workflow"}
assert len(ends) >= 5002, len(ends)
assert max(len(json.dumps(target)) for target in targets) > 200_000
END
        test "$(stat -c '%U %a' /var/log/lfr/receipts.jsonl)" = 'lfr 600'
        test $(journalctl -u lfr@receipts -o cat | wc -l) -lt 100
        """,
        tmp_path,
        seconds=900,
    )


def test_valkey_starts_after_a_loss_of_power(tmp_path: Path) -> None:
    """It has left zeros at the end of the append-only file."""
    in_box(
        """
        install_lfr
        lfr run quick.flow --wait --timeout 160
        systemctl stop lfr-valkey
        head -c 5000 /dev/zero >>$(ls /var/lib/lfr-valkey/appendonlydir/*.incr.aof)
        systemctl start lfr-valkey
        eventually sh -c "lfr list | grep FINISHED"
        lfr run quick.flow --wait --timeout 160
        test $(ls /var/lib/lfr-valkey/*.damaged | wc -l) = 1
        journalctl -u lfr-valkey -o cat | grep 'cut 5,000 bytes off the end of'
        """,
        tmp_path,
    )
