"""`lfr tasks` by the built file: threads, processes, kill -9, SIGTERM, cancellation, progress."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lfr import Client
from tests.support.processes import lfr, role
from tests.support.waiting import STALL_SECONDS, eventually

QUICK = {"LFR_LEASE": "1", "LFR_TASKS_LEASE": "2"}

TASKS = """
import asyncio, os, time
from pathlib import Path
from lfr import Context, task

HERE = Path(__file__).parent

@task("upper")
def upper(input, *, times: int = 1):
    return {"text": input["text"].upper() * times}

@task("later")
async def later(input):
    await asyncio.sleep(0.01)
    return {"pid": os.getpid()}

@task("slow")
def slow(input, *, context: Context):
    (HERE / "began").open("a").write(f"{context.attempt} {os.getpid()}\\n")
    while not (HERE / "go").exists() and not context.cancelled:
        context.progress(0.5, "half of it")
        time.sleep(0.02)
    (HERE / "ended").open("a").write("cancelled\\n" if context.cancelled else "done\\n")
    return {"done": True}

@task("hangs")
def hangs(input):
    (HERE / "began").open("a").write("a function hangs\\n")
    time.sleep(1000)

@task("hangs-async")
async def hangs_async(input):
    (HERE / "began").open("a").write("a coroutine hangs\\n")
    await asyncio.sleep(1000)

@task("dies")
def dies(input):
    os._exit(1)

@task("near")
def near(input, *, context: Context):
    (HERE / "near").open("a").write(f"{context.attempt} {context.delivery}\\n")
    while context.delivery < 3 and not (HERE / "go").exists():
        time.sleep(0.02)

@task("breaks")
def breaks(input):
    raise ValueError("no such picture")

@task("talks")
def talks(input, *, context: Context):
    print(f"it is delivery {context.delivery} \\x1b]0;title\\x07")
    if context.delivery == 1:
        time.sleep(1000)
    raise ValueError("it \\x1b[2J broke")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some_tasks.py"
    path.write_text(TASKS)
    return path


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with role("lifecycle", url=redis_url, more=QUICK):
        yield Client(redis_url)


def lines(file: Path, name: str) -> list[str]:
    """Return the lines that the tasks have written to a file."""
    path = file.parent / name
    return path.read_text().splitlines() if path.exists() else []


def step(client: Client, id: str, index: int) -> Any:
    """Return a step of the output of inspect."""
    return client.inspect(id)["steps"][index]


def test_sync_and_async_functions_and_their_failures(redis_url: str, client: Client, file: Path) -> None:
    with role("tasks", str(file), url=redis_url):
        workflow = client.wait(client.run("upper (- times: 2 -) -> upper", {"text": "a"}), STALL_SECONDS)
        assert workflow["output"] == {"text": "AA"}
        assert "pid" in client.wait(client.run("later"), STALL_SECONDS)["output"]
        assert client.wait(client.run("breaks"), STALL_SECONDS)["reason"] == "ValueError: no such picture"
        failed = client.wait(client.run("upper (- times: two -)", {"text": "a"}), STALL_SECONDS)
        assert failed["reason"] == "upper: times is 'two', but must be a whole number"


def test_processes(redis_url: str, client: Client, file: Path) -> None:
    with role("tasks", str(file), "--processes", "2", url=redis_url, more=QUICK) as parent:
        output = client.wait(client.run(" ".join(["later"] * 40)), STALL_SECONDS)["output"]
        pids = {each["pid"] for each in output}
        assert len(pids) == 2 and parent.pid not in pids
        os.kill(pids.pop(), signal.SIGKILL)
        assert client.wait(client.run(" ".join(["later"] * 40)), STALL_SECONDS)["state"] == "FINISHED"


@pytest.mark.parametrize("name", ["email", "redis"])
def test_the_names_of_modules_as_names_of_files(
    redis_url: str, client: Client, tmp_path: Path, name: str
) -> None:
    """Neither the file nor its folder hides what lfr and its libraries import, at the start and later."""
    for module in ("email", "redis", "json", "time", "random", "copy", "queue", "asyncio", "typing", "lfr"):
        (tmp_path / f"{module}.py").write_text("raise RuntimeError('nobody meant this file')")
    (tmp_path / "beside.py").write_text("def double(text): return 2 * text")
    file = tmp_path / f"{name}.py"
    file.write_text(
        "import email.message, json, redis\nimport beside\nfrom lfr import task\n"
        "@task('double')\nasync def double(input): return {'text': beside.double(input['text'])}"
    )
    for options in ((), ("--processes", "2")):
        with role("tasks", str(file), *options, url=redis_url):
            workflow = client.wait(client.run("double", {"text": "ab"}), STALL_SECONDS)
            assert workflow["output"] == {"text": "abab"}


def test_a_task_of_a_killed_worker_goes_to_another(redis_url: str, client: Client, file: Path) -> None:
    with role("tasks", str(file), url=redis_url, more=QUICK) as victim:
        id = client.run("slow")
        eventually(lambda: lines(file, "began"))
        victim.kill()
    with role("tasks", str(file), url=redis_url, more=QUICK):
        eventually(lambda: len(lines(file, "began")) == 2)
        (file.parent / "go").touch()
        assert client.wait(id, STALL_SECONDS)["output"] == {"done": True}


def test_what_a_killed_worker_has_written_stays(redis_url: str, client: Client, file: Path) -> None:
    """Beside what the next one writes; no line controls the terminal."""
    with role("tasks", str(file), "--processes", "1", url=redis_url, more=QUICK):
        id = client.run("talks")

        def logs(*options: str) -> list[str]:
            return lfr("logs", id, *options, url=redis_url).stdout.splitlines()

        [first] = eventually(logs)
        assert first.endswith(r"1 talks #1  stdout     it is delivery 1 \x1b]0;title\x07")
        [evidence] = client.inspect_step(id, 1)["evidence"]
        os.kill(evidence["process"], signal.SIGKILL)
        followed = logs("--follow")
        assert client.wait(id, STALL_SECONDS)["state"] == "FAILED"
    assert followed[0] == first
    assert followed[1].endswith("#1  lfr        handed out again: delivery 2")
    assert followed[-1].endswith(r"#1  traceback  ValueError: it \x1b[2J broke")
    records = [json.loads(line) for line in logs("1", "--attempt", "1", "--json")]
    assert [record["number"] for record in records] == list(range(1, len(followed) + 1))
    shown = lfr("inspect", id, "1", url=redis_url).stdout
    assert "delivery 2, took" in shown and "lines" in shown


@pytest.mark.parametrize("options", [("--concurrency", "4"), ("--concurrency", "1")])
def test_a_task_that_kills_its_worker_fails_and_its_neighbours_go_on(
    redis_url: str, client: Client, file: Path, options: tuple[str, str]
) -> None:
    """An item of an iteration, with the reason in the item, in its parent and in the step."""
    more = {**QUICK, "LFR_TASKS_LEASE": "1", "LFR_TASKS_DELIVERIES": "4"}
    id = client.run("* dies (- lfr: {retry: 9} -)", [1])
    others = [client.run("near") for _ in range(2)]
    with role("tasks", str(file), "--processes", "1", *options, url=redis_url, more=more):
        if options[1] == "1":
            (file.parent / "go").touch()
        failed = client.wait(id, 4 * STALL_SECONDS)
        reason = "the worker died 4 times with this task (setting tasks.deliveries)"
        assert (failed["state"], failed["reason"]) == ("FAILED", f"item 0: {reason}")
        [item] = client.inspect_step(id, 1)["items"]["open"]
        [item_step] = [each for each in client.inspect(item["id"])["steps"] if each["name"] == "dies"]
        assert (item_step["state"], item_step["attempt"], item_step["reason"]) == ("FAILED", 1, reason)
        assert reason in lfr("inspect", item["id"], "1", url=redis_url).stdout
        assert [client.wait(other, STALL_SECONDS)["state"] for other in others] == ["FINISHED"] * 2
    assert {line.partition(" ")[0] for line in lines(file, "near")} == {"1"}  # one attempt


def test_a_task_that_is_added_to_a_file_gets_the_work_that_waits(
    redis_url: str, client: Client, file: Path
) -> None:
    """Also if another worker of its group has read the bus past it."""
    with role("tasks", str(file), url=redis_url) as before:
        id = client.run("upper -> added", {"text": "a"})
        eventually(lambda: "waits_for" in client.inspect_step(id, 2))
        more = "\n@task('added')\ndef added(input): return {'added': input}\n"
        file.write_text(file.read_text() + more)
        with role("tasks", str(file), url=redis_url):  # beside a process that runs the file as it was
            assert client.wait(id, STALL_SECONDS)["output"] == {"added": {"text": "A"}}
        before.terminate()
        assert before.wait(STALL_SECONDS) == 0


def test_a_stop_waits_for_running_tasks(redis_url: str, client: Client, file: Path) -> None:
    with role("tasks", str(file), "--grace", "20", url=redis_url) as worker:
        id = client.run("slow")
        eventually(lambda: lines(file, "began"))
        worker.terminate()
        (file.parent / "go").touch()
        assert worker.wait(STALL_SECONDS) == 0
    assert client.wait(id, STALL_SECONDS)["output"] == {"done": True}


def test_a_task_that_outlives_the_grace_does_not_keep_the_process(
    redis_url: str, client: Client, file: Path
) -> None:
    with role("tasks", str(file), "--grace", "0.1", url=redis_url) as worker:
        client.run("hangs")
        client.run("hangs-async")
        eventually(lambda: len(lines(file, "began")) == 2)
        worker.terminate()
        assert worker.wait(STALL_SECONDS) == 0


def test_progress_and_cancellation(redis_url: str, client: Client, file: Path) -> None:
    with role("tasks", str(file), url=redis_url):
        id = client.run("slow")
        progress = eventually(lambda: step(client, id, 1).get("progress"))
        assert (progress["fraction"], progress["text"]) == (0.5, "half of it")
        assert "50% half of it" in lfr("inspect", id, url=redis_url).stdout
        assert lfr("terminate", id, url=redis_url).returncode == 0
        eventually(lambda: lines(file, "ended") == ["cancelled"])
        timed_out = client.run("slow (- lfr: {timeout: 100ms} -)")
        assert client.wait(timed_out, STALL_SECONDS)["reason"].startswith("timeout")
        eventually(lambda: lines(file, "ended") == ["cancelled"] * 2)


def test_an_error_in_the_file_is_one_line(redis_url: str, file: Path) -> None:
    file.write_text("from lfr import task\nboom()")
    done = lfr("tasks", str(file), url=redis_url)
    assert done.returncode == 65
    assert done.stderr == f"lfr: {file}:2: it cannot be imported: NameError: name 'boom' is not defined\n"
    assert lfr("tasks", str(file), "--processes", "2", url=redis_url).returncode == 65
    assert lfr("tasks", "none.py", url=redis_url).returncode == 66
