"""The example workers, started as their first lines say; and one workflow with four languages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from lfr import Client
from lfr.host.valkey import ValkeyServer
from tests.support.processes import role
from tests.support.waiting import STALL_SECONDS, eventually

WORKERS = Path(__file__).parents[2] / "examples" / "workers"

PROGRAMS = {
    "plain.py": (sys.executable, ()),
    "sleep.py": (sys.executable, ()),
    "on_rqse.py": (sys.executable, ()),
    "upper.sh": ("bash", ("redis-cli", "python3")),
    "reverse.mjs": ("node", ()),
}
"""The workers: the program that runs each, and other programs that it needs."""


def skip_if_missing(name: str) -> None:
    """Skip the test, or fail it in CI, if a program that the worker needs is not installed."""
    program, more = PROGRAMS[name]
    for each in (program, *more):
        if shutil.which(each) is None:
            reason = f"{each} is not installed: {name} cannot be run"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@contextmanager
def worker(name: str, server: ValkeyServer) -> Iterator[None]:
    """Run one of the workers for the block."""
    skip_if_missing(name)
    process = subprocess.Popen([PROGRAMS[name][0], str(WORKERS / name), str(server.address.port)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("name", "flow", "input", "output"),
    [
        ("plain.py", "text:count", {"text": "a b c"}, {"words": 3}),
        ("on_rqse.py", "text:upper -> text:reverse -> text:upper", {"text": "abc"}, {"text": "CBA"}),
        ("sleep.py", "sleep (- seconds: 0.01 -)", {"x": 1}, {"x": 1}),
        ("upper.sh", "text:shout", {"text": 'a\'b "é" c'}, {"text": 'A\'B "É" C'}),
        ("reverse.mjs", "text:reverse-words", {"text": "a é c"}, {"text": "c é a"}),
    ],
)
def test_each(
    server: ValkeyServer, redis_url: str, name: str, flow: str, input: object, output: object
) -> None:
    lfr = Client(redis_url)
    with role("lifecycle", url=redis_url), worker(name, server):
        id = lfr.run(flow, input)
        assert lfr.wait(id, STALL_SECONDS)["output"] == output
        if name == "plain.py":
            [line] = eventually(lambda: list(lfr.logs(id)))
            assert line["text"] == "plain ends it with SUCCESS"


@pytest.mark.parametrize(
    ("name", "flow", "reason"),
    [
        ("plain.py", "text:count", "KeyError: 'text'"),
        ("on_rqse.py", "text:upper", "KeyError: 'text'"),
        ("sleep.py", "sleep (- seconds: soon -)", "TypeError: "),
        ("upper.sh", "text:shout", "the input has no text"),
        ("reverse.mjs", "text:reverse-words", "TypeError: "),
    ],
)
def test_a_task_that_fails_says_why_and_garbage_stops_no_worker(
    server: ValkeyServer, redis_url: str, name: str, flow: str, reason: str
) -> None:
    lfr = Client(redis_url)
    client = redis.Redis.from_url(redis_url, protocol=2)
    task = '"' + flow.split()[0] + '"'
    garbage = [{"kind": '"start-task"'}, {"kind": '"start-task"', "base": task}, {"a": "1"}]
    if "rqse" not in (WORKERS / name).read_text():  # rqse waits for ten seconds after it
        garbage += [
            {"kind": "nonsense"},
            {"kind": b"\xff"},
            {"kind": '"start-task"', "base": task, "input": "{"},
        ]
    for each in garbage:
        client.xadd("workflows:run", each)
    with role("lifecycle", url=redis_url), worker(name, server):
        assert lfr.wait(lfr.run(flow, {"other": 1}), STALL_SECONDS)["reason"].startswith(reason)
    client.close()


def test_four_languages_in_one_workflow(server: ValkeyServer, redis_url: str, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from lfr import task\n@task('text:join')\ndef join(input, *, by: str):\n"
        "    return {'text': by.join(each['text'] for each in input)}\n"
    )
    flow = """
    { text:upper -> text:shout
      text:reverse-words
    } -> text:join (- by: ' ' -) -> text:count
    """
    lfr = Client(redis_url)
    with ExitStack() as stack:
        for name in ("on_rqse.py", "upper.sh", "reverse.mjs", "plain.py"):
            stack.enter_context(worker(name, server))
        for words in (("lifecycle",), ("receipts",), ("tasks", str(own))):
            stack.enter_context(role(*words, url=redis_url))
        workflow = lfr.wait(lfr.run(flow, {"text": "one two"}), STALL_SECONDS)
    joined = next(step for step in workflow["steps"] if step["name"] == "text:join")
    assert joined["output"] == {"text": "ONE TWO two one"}
    assert (workflow["state"], workflow["output"]) == ("FINISHED", {"words": 4})
