"""Functions as tasks: how a file is read, and what parameters a function is called with."""

from __future__ import annotations

import json
import pickle
import queue
import sys
from pathlib import Path
from typing import Any

import pytest

from lfr.errors import BadInput, LfrError, NotFound
from lfr.worker.registry import BadCall, load_tasks, task


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "some.py"
    path.write_text(text)
    return str(path)


def test_a_marked_function_is_still_itself(tmp_path: Path) -> None:
    @task("img:resize", "img:scale")
    def resize(input: Any, *, width: int = 3) -> Any:
        return {"width": width, **input}

    assert resize({"a": 1}, width=2) == {"width": 2, "a": 1}
    text = (
        "from lfr import task\n@task('a', 'b:c')\ndef f(input): pass\n"
        "@task('d')\nasync def g(input, *, context): pass"
    )
    tasks = load_tasks(file(tmp_path, text))
    assert {name: each.has_context for name, each in tasks.items()} == {"a": False, "b:c": False, "d": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "there are no tasks in this file"),
        (
            "from lfr import task\nboom()",
            "some.py:2: it cannot be imported: NameError: name 'boom' is",
        ),
        ("def f(:", "some.py:1: it cannot be imported: SyntaxError"),
        ("import nothing_like_it", "some.py:1: it cannot be imported: ModuleNotFoundError"),
        ("x = 1\nimport sys\nsys.exit()", "some.py:3: it cannot be imported: SystemExit"),
        ("import sys\nsys.exit('no licence')", "some.py:2: it cannot be imported: SystemExit: no licence"),
        (
            "class Broken(Exception):\n    def __str__(self): raise ValueError\nraise Broken",
            "some.py:3: it cannot be imported: Broken, whose text cannot be made",
        ),
        (
            "from lfr import task\n@task('wait:delay')\ndef f(input): pass",
            "wait:delay is a task of lfr's own",
        ),
        ("from lfr import task\n@task('a b')\ndef f(input): pass", "'a b' is no name of a task"),
        ("from lfr import task\n@task()\ndef f(input): pass", "@task needs the name"),
        (
            "from lfr import task\n@task('a')\ndef f(input): pass\n@task('a')\ndef g(input): pass",
            "two functions do the task a",
        ),
        ("from lfr import task\n@task('a')\ndef f(): pass", "the function for a takes no input"),
        ("from lfr import task\n@task('a')\ndef f(*, b): pass", "the function for a takes no input"),
    ],
)
def test_errors_of_a_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_tasks(file(tmp_path, text))
    assert message in str(caught.value)


def test_a_file_hides_no_module_that_others_import(tmp_path: Path) -> None:
    for name in ("queue", "json", "redis", "email"):
        (tmp_path / f"{name}.py").write_text(
            "import queue, json, redis.backoff, email.message, beside\nfrom lfr import task\n"
            "@task('a')\ndef f(input): return queue.Queue, json.dumps, beside.VALUE"
        )
    (tmp_path / "beside.py").write_text("VALUE = 3")
    function = load_tasks(str(tmp_path / "queue.py"))["a"].function
    assert function(None) == (queue.Queue, json.dumps, 3)
    assert sys.modules["queue"] is queue and function.__module__ not in ("queue", "json")
    assert pickle.loads(pickle.dumps(function)) is function


def test_a_file_may_hold_objects_that_answer_to_every_attribute(tmp_path: Path) -> None:
    text = """
from unittest.mock import MagicMock, call
from lfr import task

class Proxy:
    def __getattr__(self, name): raise RuntimeError("there is no request")

mock, other, proxy = MagicMock(__lfr_tasks__=3), call, Proxy()

@task("a")
def f(input, *, width: "not an annotation", height: "numpy.float", depth: [int] = 1): ...
"""
    assert list(load_tasks(file(tmp_path, text))) == ["a"]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_tasks(str(tmp_path / "none.py"))
    with pytest.raises(LfrError):
        load_tasks(str(tmp_path))


TEXT = """
from __future__ import annotations
from lfr import Context, task

@task("t")
def f(
    input, *, width: int, ratio: float = 1.0, name: str = "", on: bool = False, of: list = (), more=None
): ...

@task("any")
def g(input, context: Context, **parameters): ...
"""


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "it needs the parameter width, a whole number"),
        (
            {"widht": 1, "width": 1},
            "widht is 1, but it has no such parameter, but only width, ratio, name, on, of, more",
        ),
        ({"input": 1, "width": 1}, "input is 1, but it has no such parameter"),
        ({"retry": 3, "width": 1}, "on, of, more; for lfr itself, write (- lfr: {retry: ...} -)"),
        ({"width": "3"}, "width is '3', but must be a whole number"),
        ({"width": True}, "width is True, but must be a whole number"),
        ({"width": 1, "ratio": "x"}, "ratio is 'x', but must be a number"),
        ({"width": 1, "name": 1}, "name is 1, but must be a text"),
        ({"width": 1, "on": 1}, "on is 1, but must be true or false"),
        ({"width": 1, "of": {}}, "of is {}, but must be a list"),
        ([1], "its parameters are [1], but must be an object"),
    ],
)
def test_parameters_that_do_not_fit(tmp_path: Path, parameters: Any, message: str) -> None:
    with pytest.raises(BadCall) as caught:
        load_tasks(file(tmp_path, TEXT))["t"].arguments({}, parameters, None)
    assert message in str(caught.value)


def test_parameters_that_fit(tmp_path: Path) -> None:
    tasks = load_tasks(file(tmp_path, TEXT))
    call = tasks["t"].arguments({"i": 1}, {"width": 1, "ratio": 2, "more": object}, None)
    assert (call.args, call.kwargs["width"], call.kwargs["ratio"]) == (({"i": 1},), 1, 2)
    call = tasks["any"].arguments([], {"x": 1}, "the context")
    assert call.arguments["context"] == "the context" and call.arguments["parameters"] == {"x": 1}
    with pytest.raises(BadCall, match="multiple values"):
        tasks["any"].arguments([], {"input": 1}, "the context")
    with pytest.raises(BadCall, match="cannot be called context"):
        tasks["any"].arguments([], {"context": 1}, "the context")
