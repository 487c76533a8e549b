"""The command line of the built file: stdout, stderr, exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from lfr.host.valkey import ValkeyServer
from tests.support.processes import built_file, environment, lfr, role
from tests.support.s3 import s3_server
from tests.support.servers import running
from tests.support.waiting import STALL_SECONDS, eventually


@pytest.fixture
def flow(tmp_path: Path) -> str:
    path = tmp_path / "chain.flow"
    path.write_text("@flow chain\nA -> ? `$.more` B -> C")
    return str(path)


@pytest.fixture
def roles(redis_url: str) -> Iterator[str]:
    """Run the roles that a flow of plain tasks needs; return the address of their server."""
    with role("worker", url=redis_url), role("simulate", "--wait-period", "0.01", url=redis_url):
        yield redis_url


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line on stderr of a command that has failed."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_run_prints_the_id_alone(redis_url: str, flow: str) -> None:
    done = lfr("run", flow, url=redis_url)
    assert done.returncode == 0
    warnings = [line.partition("warning: ")[2] for line in done.stderr.splitlines()]
    hint = "(lfr tasks FILE.py runs a worker)"
    assert warnings == [f"no live worker does {name} {hint}" for name in "ABC"]
    id = done.stdout.strip()
    assert done.stdout == f"{id}\n"
    assert id.startswith("workflow:chain-")
    assert json.loads(lfr("inspect", id, "--json", url=redis_url).stdout)["state"] == "RUNNING"
    assert id in lfr("list", "--state", "running", "--name", "chain", url=redis_url).stdout
    assert id.removeprefix("workflow:") in lfr("inspect", id.removeprefix("workflow:"), url=redis_url).stdout


def test_a_workflow_starts_for_each_line_of_a_file(redis_url: str, flow: str, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text('{"n": 1}\n\n{"n": 2}\n')
    done = lfr("run", flow, "--inputs", str(inputs), "--workflow-id", "day", url=redis_url)
    assert done.stdout == "workflow:day-1\nworkflow:day-2\n"
    assert json.loads(lfr("inspect", "day-2", "--json", url=redis_url).stdout)["input"] == {"n": 2}
    again = lfr("run", flow, "--inputs", str(inputs), "--workflow-id", "day", "--json", url=redis_url)
    assert "lfr: 2 of 2 had been started before\n" in again.stderr
    assert [each["is_new"] for each in json.loads(again.stdout)] == [False, False]
    inputs.write_text('{"n": 1}\n{"n": \n')
    wrong = lfr("run", flow, "--inputs", str(inputs), url=redis_url)
    assert (wrong.returncode, wrong.stdout) == (65, "")
    assert f"{inputs}:2" in wrong.stderr
    inputs.write_text("\n")
    assert "there is no input in it" in lfr("run", flow, "--inputs", str(inputs), url=redis_url).stderr
    for words in (["--input", "{}"], ["--wait"], ["--local"]):
        assert lfr("run", flow, "--inputs", str(inputs), *words, url=redis_url).returncode == 64


def test_flows_are_stored_and_started_by_name(redis_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    (folder / "shop").mkdir(parents=True)
    (folder / "build.flow").write_text("@flow build A")
    order = folder / "shop" / "order.flow"
    text = '@flow order """Sells."""\nA -> B'
    order.write_text(text)
    dry = lfr("apply", str(folder), "--dry-run", url=redis_url)
    assert (dry.returncode, dry.stderr) == (0, "2 new\nnothing has been changed: --dry-run\n")
    assert lfr("flows", url=redis_url).stderr == "no flow is stored (lfr apply FILE stores one)\n"
    done = lfr("apply", str(folder), url=redis_url)
    assert done.stdout.splitlines()[1] == f"+ order  version 1, new ({order})"
    order.write_text("@flow order A -> C")
    done = lfr("apply", str(order), url=redis_url)
    assert done.stdout.splitlines() == [
        f"~ order  version 2, changed from version 1 ({order})",
        "      - documentation: Sells.",
        "      - task: B",
        "      + task: C",
        "      - A -> B",
        "      - B -> end",
        "      + A -> C",
        "      + C -> end",
        "  build  version 1, in none of these texts: it stays (--prune removes it)",
    ]
    assert done.stderr == "1 changed, 1 missing\n"
    id = lfr("run", "--flow", "order@1", url=redis_url).stdout.strip()
    assert "order, version 1" in lfr("inspect", id, url=redis_url).stdout
    assert lfr("flows", "order@1", "--text", url=redis_url).stdout == f"{text}\n"
    assert "Sells." in lfr("flows", "order@1", url=redis_url).stdout
    plan = json.loads(lfr("apply", str(order), "--prune", "--json", url=redis_url).stdout)
    assert [(change["name"], change["change"]) for change in plan] == [
        ("order", "unchanged"),
        ("build", "removed"),
    ]
    assert [line.split()[:2] for line in lfr("flows", url=redis_url).stdout.splitlines()[1:]] == [
        ["order", "2"]
    ]
    assert lfr("run", "--flow", "build", url=redis_url).returncode == 66
    for words in (["run"], ["run", "a.flow", "--flow", "order"], ["run", "--flow", "order", "--base", "."]):
        assert lfr(*words, url=redis_url).returncode == 64
    (tmp_path / "empty").mkdir()
    assert "no file in this folder ends with .flow" in one_line(
        lfr("apply", str(tmp_path / "empty"), url=redis_url)
    )


def test_wait_shows_the_steps_and_the_end(roles: str, flow: str) -> None:
    done = lfr("run", flow, "--input", '{"x": 1}', "--wait", url=roles)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"x": 1}
    for words in ("1 A started", "1 A ended", "2 B skipped", "3 C ended", "finished"):
        assert words in done.stderr
    lines = done.stderr.splitlines()
    id, outcome = next(line for line in lines if line.startswith("workflow:chain-")), lines[-1]
    assert outcome.startswith(f"{id} is FINISHED after ")
    again = lfr("follow", id[: len("workflow:chain-") + 9], url=roles)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "3 C ended" in again.stderr
    assert json.loads(lfr("follow", id, "--json", url=roles).stdout)["state"] == "FINISHED"


def test_wait_with_json_gives_the_outcome_as_one_object(roles: str, tmp_path: Path, flow: str) -> None:
    (tmp_path / "input.json").write_text('{"more": true}')
    done = lfr("run", flow, "--input", f"@{tmp_path}/input.json", "--wait", "--json", url=roles)
    assert done.returncode == 0
    outcome = json.loads(done.stdout)
    assert (outcome["state"], outcome["output"]) == ("FINISHED", {"more": True})
    assert [step["state"] for step in outcome["steps"]] == ["DONE"] * 5


def test_a_failure_has_an_exit_code(redis_url: str, flow: str) -> None:
    with (
        role("lifecycle", url=redis_url),
        role("simulate", "--wait-period", "0", "--failures", "100", url=redis_url),
    ):
        done = lfr("run", flow, "--wait", url=redis_url)
        assert (done.returncode, done.stdout) == (1, "")
        assert "is FAILED after" in done.stderr.splitlines()[-1]
        listed = lfr("list", url=redis_url).stdout.splitlines()
        assert "simulated failure" in listed[-1] and "FAILED" in listed[-2]
        assert "1 A failed" in done.stderr
        assert "simulated failure" in done.stderr


def test_a_time_out_leaves_the_workflow_alone_and_terminate_ends_it(redis_url: str, flow: str) -> None:
    done = lfr("run", flow, "--wait", "--timeout", "100ms", "--workflow-id", "x", url=redis_url)
    assert (done.returncode, done.stdout) == (4, "")
    assert "workflow:x\n" in done.stderr
    assert "still RUNNING after 100 ms; it continues: lfr follow workflow:x" in done.stderr
    assert lfr("terminate", "x", url=redis_url).stdout == "workflow:x is TERMINATED\n"
    assert lfr("run", flow, "--wait", "--workflow-id", "x", url=redis_url).returncode == 3
    assert "is TERMINATED" in one_line(again := lfr("terminate", "x", url=redis_url))
    assert again.returncode == 69
    restarted = lfr("restart", "x", "--json", url=redis_url)
    assert json.loads(restarted.stdout) == {"id": "workflow:x", "state": "RUNNING"}


def test_a_task_is_ended_by_hand(redis_url: str, flow: str) -> None:
    lfr("run", flow, "--workflow-id", "x", url=redis_url)
    slip = lfr("end", "x", "C", "1", url=redis_url)
    assert (slip.returncode, one_line(slip)) == (65, "lfr: step 1 of workflow:x is A, not C\n")
    with role("lifecycle", url=redis_url):
        assert lfr("end", "x", "A", "1", "--output", '{"by": "hand"}', url=redis_url).returncode == 0
        eventually(
            lambda: '"input": {\n        "by": "hand"' in lfr("inspect", "x", "--json", url=redis_url).stdout
        )
        end = ("end", "x", "C", "3", "--status", "failure", "--reason", "no \x1b[31mway")
        said = lfr(*end, url=redis_url).stdout
        assert said.startswith("step 3 (C) of workflow:x ends with FAILURE, by the event ")
        eventually(lambda: "FAILED" in lfr("list", url=redis_url).stdout)
        late = lfr(*end, url=redis_url)
        assert late.returncode == 69
        assert one_line(late).endswith(
            "step 3 of workflow:x does not run, so it cannot end: the workflow is FAILED"
            " (lfr restart workflow:x starts it again)\n"
        )
    output = lfr("inspect", "x", "--all", url=redis_url).stdout
    assert r"no \x1b[31mway" in output and "\x1b" not in output


def test_a_workflow_is_named_by_the_beginning_of_its_id(redis_url: str, flow: str) -> None:
    for id in ("build-1", "build-12", "deploy-7"):
        lfr("run", flow, "--workflow-id", id, url=redis_url)
    assert lfr("terminate", "dep", url=redis_url).stdout == "workflow:deploy-7 is TERMINATED\n"
    assert lfr("terminate", "build-1", url=redis_url).stdout == "workflow:build-1 is TERMINATED\n"
    several = lfr("terminate", "workflow:bu", url=redis_url)
    assert several.returncode == 65
    assert "begins with workflow:bu: workflow:build-1, workflow:build-12 (" in one_line(several)
    none = lfr("terminate", "x", url=redis_url)
    assert (none.returncode, "there is no workflow workflow:x" in one_line(none)) == (66, True)
    deleted = lfr("delete", "dep", "build-1", url=redis_url)
    assert deleted.stdout == "workflow:deploy-7 is deleted\nworkflow:build-1 is deleted\n"
    assert (
        lfr("retry", "b", "1", url=redis_url).stdout == "step 1 (A) of workflow:build-12 starts attempt 2\n"
    )
    skipped = lfr("skip", "b", "1", "--json", url=redis_url)
    assert json.loads(skipped.stdout)["workflow"] == "workflow:build-12"
    failed = lfr("fail", "b", "3", "--reason", "no", url=redis_url)
    assert failed.stdout == "step 3 (C) of workflow:build-12 has failed: no; the workflow is FAILED\n"


def test_a_prune_says_what_it_deletes(redis_url: str, flow: str, tmp_path: Path) -> None:
    for id in ("old", "new", "runs"):
        lfr("run", flow, "--workflow-id", id, url=redis_url)
    lfr("terminate", "old", url=redis_url)
    options = ["prune", "--older", "0s", "--state", "terminated", "FAILED"]
    refused = lfr(*options, url=redis_url, input="yes\n")
    assert (refused.returncode, "prune needs --yes" in refused.stderr) == (64, True)
    dry = lfr(*options, "--dry-run", url=redis_url)
    assert dry.stdout == "workflow:old\n"
    assert re.search(r"1 TERMINATED: \d\.\d KiB of Redis\n", dry.stderr)
    folder = tmp_path / "archives"
    pruned = lfr(*options, "--yes", "--archive", str(folder), url=redis_url)
    assert (pruned.returncode, pruned.stdout) == (0, "1 of 1 workflows are deleted\n")
    again = lfr(*options, "--yes", "--json", url=redis_url)
    assert json.loads(again.stdout)["workflows"] == 0
    assert lfr("restore", str(folder / "old.json"), url=redis_url).returncode == 0
    assert lfr("prune", "--older", "0s", "--state", "RUNNING", "--yes", url=redis_url).returncode == 65


def test_archives_go_to_s3_and_come_back(redis_url: str, flow: str) -> None:
    with s3_server() as s3:
        more = s3.environment()
        lfr("run", flow, "--workflow-id", "a", url=redis_url)
        output = ("--output", "s3://archives/x/")
        archived = lfr("archive", "a", *output, url=redis_url, more=more)
        assert archived.stderr == "workflow:a is archived in s3://archives/x/a.json\n"
        lfr("terminate", "a", url=redis_url)
        options = ("prune", "--older", "0s", "--state", "terminated", "--yes")
        pruned = lfr(*options, "--archive", "s3://archives", url=redis_url, more=more)
        assert (pruned.returncode, pruned.stdout) == (0, "1 of 1 workflows are deleted\n")
        name = next(name for name in s3.objects if re.fullmatch(r"a\.[0-9a-f]{12}\.json", name))
        restored = lfr("restore", f"s3://archives/{name}", url=redis_url, more=more)
        assert restored.stdout == "workflow:a\n"
        missing = lfr("restore", "s3://archives/none", url=redis_url, more=more)
        assert (missing.returncode, "there is no such object" in one_line(missing)) == (66, True)
        s3.failures = [(403, "AccessDenied")]
        denied = lfr(*options, "--archive", "s3://archives", url=redis_url, more=more)
        assert (denied.returncode, "s3:PutObject" in denied.stderr) == (73, True)
    keyless = lfr("archive", "a", *output, url=redis_url)
    assert (keyless.returncode, "AWS_ACCESS_KEY_ID" in one_line(keyless)) == (78, True)


def test_why_and_doctor_say_what_is_wrong_and_mend_it(redis_url: str, flow: str) -> None:
    lfr("run", flow, "--workflow-id", "x", url=redis_url)
    why = lfr("why", "x", url=redis_url)
    assert (why.returncode, why.stdout.splitlines()[0]) == (0, "workflow:x  RUNNING")
    assert "no lifecycle runs: no workflow makes progress\n  -> lfr lifecycle\n" in why.stdout
    assert json.loads(lfr("why", "x", "9", "--json", url=redis_url).stdout or "null") is None
    with redis.Redis.from_url(redis_url) as client:
        client.hset("workflow:gone:outputs", "1", "5")
    refused = lfr("doctor", "--fix", url=redis_url, input="yes\n")
    assert (refused.returncode, "--fix needs --yes" in refused.stderr) == (64, True)
    found = lfr("doctor", url=redis_url)
    assert found.returncode == 69
    assert "keys are left of workflows that are gone, 1 in all: workflow:gone\n" in found.stdout
    mended = lfr("doctor", "--fix", "--yes", "--json", url=redis_url)
    assert mended.returncode == 69  # there is still no lifecycle
    rows = {row["check"]: row["mended"] for row in json.loads(mended.stdout)["findings"]}
    assert rows["orphaned-keys"] == "deleted: 1"
    assert "orphaned-keys" not in lfr("doctor", "--json", url=redis_url).stdout


def test_one_step_is_shown_whole(roles: str, tmp_path: Path) -> None:
    path = tmp_path / "long.flow"
    path.write_text("A (- times: 3 -) -> ? `$.text` B")
    text = "z" * 500
    input = json.dumps({"text": text})
    lfr("run", str(path), "--input", input, "--workflow-id", "x", "--wait", url=roles)
    shown = lfr("inspect", "x", "1", url=roles).stdout
    assert shown.startswith("workflow:x  1  A  DONE\n")
    assert f'"text": "{text}"' in shown
    assert '"times": 3' in shown
    assert "attempt 1 started" in shown and "attempt 1 ended" in shown
    assert "  guard       $.text\n" in lfr("inspect", "x", "2", url=roles).stdout
    step = json.loads(lfr("inspect", "x", "1", "--json", url=roles).stdout)
    assert (step["index"], step["parameters"]) == (1, {"times": 3})
    assert lfr("inspect", "x", "9", url=roles).returncode == 66


def test_attempts_and_waits_are_followed(redis_url: str, tmp_path: Path) -> None:
    path = tmp_path / "waits.flow"
    path.write_text("""A (- lfr: {retry: {times: 1, delay: 1}} -)
        -> wait:event (- {event: approved, match: {order: 7}} -)""")
    with role("worker", url=redis_url):
        lfr("run", str(path), "--workflow-id", "x", url=redis_url)
        with subprocess.Popen(
            [sys.executable, str(built_file()), "follow", "x"],
            env=environment(redis_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as follower:
            assert follower.stdout is not None and follower.stderr is not None
            lfr("end", "x", "A", "1", "--status", "FAILURE", "--reason", "busy", url=redis_url)
            expected = [
                "1 A started",
                "and is tried again: busy",
                "1 A started, attempt 2",
                '2 waits for the event approved with {"order": 7}',
            ]
            for words in expected:
                next(line for line in follower.stderr if words in line)
                if words.endswith("attempt 2"):
                    lfr("end", "x", "A", "1", url=redis_url)
            fields = {"order": 7, "output": {"by": "ann"}}
            lfr("event", "approved", "--data", json.dumps(fields), url=redis_url)
            assert json.loads(follower.stdout.read())["by"] == "ann"
        assert follower.returncode == 0


def test_events_are_listed(redis_url: str) -> None:
    assert "no events" in lfr("events", url=redis_url).stderr
    flow = "wait:event (- event: approved -)"
    lfr("run", "-", "--workflow-id", "x", input=flow, url=redis_url)
    starts = lfr("events", "start-task", "--workflow", "x", url=redis_url).stdout.splitlines()
    assert len(starts) == 2 and "wait:event" in starts[1]
    with role("worker", url=redis_url):
        for order in ('{"order": 7}', '{"order": 8}'):
            lfr("event", "approved", "--data", order, url=redis_url)
        with redis.Redis.from_url(redis_url) as client:
            client.xadd("workflows:run", {"kind": "no JSON"})
        eventually(lambda: "no JSON" in lfr("dead", url=redis_url).stdout)
        eventually(lambda: len(lfr("events", "--buffered", url=redis_url).stdout.splitlines()) == 3)
    buffered = json.loads(lfr("events", "approved", "--buffered", "--json", url=redis_url).stdout)
    assert [(event["kind"], event["used"], event["fields"]["order"]) for event in buffered] == [
        ("approved", False, "8"),
        ("approved", True, "7"),
    ]
    assert lfr("events", "sold", "--buffered", "--json", url=redis_url).stdout == "[]\n"
    assert lfr("dead", "show", url=redis_url).returncode == 64
    assert lfr("dead", "dismiss", "--all", url=redis_url).stdout == "1 dismissed\n"


def test_an_event_of_any_kind(redis_url: str) -> None:
    done = lfr("event", "approved", "--data", '{"order": 7}', url=redis_url)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        ((id, fields),) = client.xrange("workflows:run")
    assert done.stdout == f"{id}\n"
    assert (fields["kind"], fields["order"]) == ('"approved"', "7")


def test_a_flow_without_a_name_is_called_after_its_file(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "night build.flow").write_text("A -> B")
    done = lfr("run", str(tmp_path / "night build.flow"), url=redis_url)
    assert done.stdout.startswith("workflow:night-build-")
    assert "night build" in lfr("list", url=redis_url).stdout


def test_a_check_says_whether_there_is_somebody_for_each_task(roles: str, tmp_path: Path) -> None:
    (tmp_path / "mail.flow").write_text("write -> wait:delay (- duration: 1 -) -> send")
    words = ("check", str(tmp_path / "mail.flow"), "--live", "--json")
    assert json.loads(eventually(lambda: (done := lfr(*words, url=roles).stdout) == "[]\n" and done)) == []
    assert lfr(*words, "--url", "redis://127.0.0.1:1").returncode == 75
    assert lfr("check", str(tmp_path / "mail.flow"), "--url", roles).returncode == 64


def test_a_worker_says_by_its_claims_what_it_does(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "images.py").write_text("from lfr import task\n@task('img:resize')\ndef resize(input): ...")
    (tmp_path / "image.flow").write_text("img:resize -> img:resise")
    check = ("check", str(tmp_path / "image.flow"), "--live", "--json")
    with role("tasks", str(tmp_path / "images.py"), url=redis_url):
        problems = eventually(
            lambda: [
                (each["column"], each["hint"])
                for each in json.loads(lfr(*check, url=redis_url).stdout)
                if "did you mean" in each["hint"]
            ]
        )
    assert problems == [(15, "did you mean img:resize?")]


def test_the_flow_may_come_from_stdin(redis_url: str) -> None:
    assert lfr("run", "-", url=redis_url, input="A -> B").stdout.startswith("workflow:")
    wrong = lfr("run", "-", url=redis_url, input="A -> ?")
    assert wrong.returncode == 65
    assert wrong.stderr.startswith("stdin:1:")


def test_a_flow_with_an_error(redis_url: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.flow"
    path.write_text('A (- !!python/object/apply:os.system ["id"] -)')
    done = lfr("run", str(path), url=redis_url)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(f"{path}:1:3: ")
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys() == []


def test_an_unknown_workflow(redis_url: str) -> None:
    for words in (["inspect", "x"], ["terminate", "x"], ["restart", "x"], ["end", "x", "A", "1"]):
        done = lfr(*words, url=redis_url)
        assert done.returncode == 66
        assert "there is no workflow workflow:x" in one_line(done)


def test_an_id_that_is_in_use(redis_url: str, flow: str) -> None:
    lfr("run", flow, "--workflow-id", "x", url=redis_url)
    again = lfr("run", flow, "--workflow-id", "x", url=redis_url)
    assert (again.returncode, again.stdout) == (0, "workflow:x\n")
    other = lfr("run", flow, "--workflow-id", "x", "--input", "[1]", url=redis_url)
    assert other.returncode == 69
    assert "workflow:x already exists" in other.stderr.splitlines()[-1]


def test_no_redis_at_the_address(flow: str) -> None:
    for words in (["run", flow], ["list"], ["inspect", "x"], ["event", "x"]):
        done = lfr(*words, "--host", "127.0.0.1", "--port", "1")
        assert done.returncode == 75
        assert "no Redis answers at 127.0.0.1:1" in one_line(done)


def test_a_wrong_password_and_no_permission(server: ValkeyServer, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser(
            "reader", enabled=True, passwords=["+right"], keys=["*"], commands=["+@read", "+info"]
        )
        try:
            address = f"127.0.0.1:{server.address.port}"
            wrong = lfr("list", url=f"redis://reader:wrong@{address}")
            assert wrong.returncode == 77
            assert f"Redis at redis://{address} refuses" in one_line(wrong)
            assert "wrong" not in wrong.stderr.replace("WRONGPASS", "").replace("wrong password", "")
            right = {"REDIS_USERNAME": "reader", "REDIS_PASSWORD": "right"}
            assert lfr("list", url=f"redis://{address}", more=right).returncode == 0
            forbidden = lfr("event", "x", url=f"redis://{address}", more=right)
            assert forbidden.returncode == 77
            assert "refuses" in one_line(forbidden)
        finally:
            client.acl_deluser("reader")


def test_a_password_that_is_missing(tmp_path: Path) -> None:
    with running("valkey", tmp_path) as server, redis.Redis.from_url(server.address.url) as client:
        client.config_set("requirepass", "secret")
        assert lfr("list", url=server.address.url).returncode == 77
        assert lfr("list", url=server.address.url, more={"REDIS_PASSWORD": "secret"}).returncode == 0
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        (credentials / "redis.password").write_text("secret\n")
        by_systemd = {"CREDENTIALS_DIRECTORY": str(credentials)}
        assert lfr("list", url=server.address.url, more=by_systemd).returncode == 0


def test_a_reader_that_goes_away_is_no_error(redis_url: str) -> None:
    """Write more output than a pipe holds, without a reader."""
    lfr("run", "-", "--workflow-id", "x", url=redis_url, input="->".join(f"t{n}" for n in range(3000)))
    process = subprocess.Popen(
        [sys.executable, str(built_file()), "inspect", "x"],
        env=environment(redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert (process.wait(STALL_SECONDS), process.stderr.read()) == (141, b"")
    process.stderr.close()


@pytest.mark.parametrize(("words", "code"), [(["run", "-", "--local"], 0), (["list"], 75)])
def test_without_a_reader_of_stderr_the_exit_code_is_the_same(words: list[str], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-E", str(built_file()), *words],  # without PYTHONUNBUFFERED
        env=environment("redis://127.0.0.1:1"),
        input=b"a -> b",
        stdout=subprocess.DEVNULL,
        stderr=writer,
        check=False,
    )
    os.close(writer)
    assert done.returncode == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("words", [["--version"], ["--help"], ["config"]])
def test_output_that_cannot_be_written(words: list[str], locale: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(built_file()), *words],
            env=environment(None, {"LC_ALL": locale}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 73
    assert done.stderr == "lfr: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_wait_can_be_interrupted(redis_url: str, flow: str, number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, str(built_file()), "run", flow, "--wait", "--workflow-id", "x"],
        env=environment(redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    next(line for line in process.stderr if line == "workflow:x\n")
    process.send_signal(number)
    _, err = process.communicate(timeout=STALL_SECONDS)
    assert process.returncode == code
    assert "Traceback" not in err
    assert "RUNNING" in lfr("list", url=redis_url).stdout


def test_the_live_view_on_a_terminal(roles: str, flow: str) -> None:
    """stderr is a terminal, stdout is not: stderr has the live view, stdout the output alone."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(built_file()), "run", flow, "--wait"],
        env=environment(roles, {"TERM": "xterm", "NO_COLOR": "1"}),
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    )
    os.close(slave)
    out, _ = process.communicate(timeout=STALL_SECONDS)
    drawn = read_all(master)
    assert process.returncode == 0
    assert out == "{}\n"
    assert "FINISHED  5 of 5 steps" in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1


def read_all(master: int) -> str:
    """Return everything written to a pseudo-terminal whose other end is closed."""
    data = bytearray()
    try:
        while chunk := os.read(master, 65536):
            data += chunk
    except OSError:  # Linux reports the end as EIO
        pass
    finally:
        os.close(master)
    return data.decode()
