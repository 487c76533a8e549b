"""Flows in this process, as programs and their tests run them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import lfr
from lfr import Context, Flow, FlowError, LocalFailure, compile_flow, run_local, task
from lfr.config.settings import Settings
from lfr.errors import BadInput
from lfr.events import StartTask
from lfr.local import LocalContext
from lfr.store.redis.connection import open_store
from lfr.values.json import Json


def test_everything_that_is_exported_is_there() -> None:
    for name in lfr.__all__:
        assert getattr(lfr, name) is not None
    with pytest.raises(AttributeError):
        _ = lfr.nothing


def test_text_and_flow_run_alike() -> None:
    tasks = {"A": lambda: {"n": 1}, "B": lambda input: {"n": input["n"] + 1}}
    flow = compile_flow("A -> B")
    assert isinstance(flow, Flow)
    assert run_local(flow, tasks) == run_local("A -> B", tasks) == {"n": 2}


def test_a_text_that_is_no_flow() -> None:
    with pytest.raises(FlowError) as caught:
        run_local("A\n  -> %", {})
    (error,) = caught.value.errors
    assert (error.line, error.column) == (2, 6)
    assert error.message


def test_a_function_gets_as_much_as_it_takes() -> None:
    calls: list[tuple[Any, ...]] = []
    tasks = {
        "none": lambda: calls.append(()),
        "input": lambda input: calls.append((input,)),
        "both": lambda input, parameters: calls.append((input, parameters)),
        "more": lambda input, parameters, retries=3: calls.append((input, parameters, retries)),
        "five": lambda name, base, index, input, parameters: calls.append((name, base, index, input)),
        "any": lambda *arguments: calls.append(arguments),
    }
    text = "none -> input -> both(- a: 1 -) -> more(- b: 2 -) -> five -> any(- a: 1 -)"
    assert run_local(text, tasks, [7]) is None
    assert calls == [
        (),
        (None,),
        (None, {"a": 1}),
        (None, {"b": 2}, 3),
        ("five", "five", 5, None),
        ("any", "any", 6, None, {"a": 1}),
    ]


def test_a_function_of_a_worker_is_called_as_its_worker_does() -> None:
    @task("text:upper")
    def upper(input: Json, times: int = 1, *, context: Context) -> Json:
        context.progress(0.5, "half of it")
        values = (context.workflow, context.name, context.index, context.attempt, context.cancelled)
        assert values == ("local", "big", 1, 1, False)
        return {"text": input["text"].upper() * times}

    text = "@task big = text:upper (- times: %s -)\nbig"
    assert run_local(text % 2, {"text:upper": upper}, {"text": "a"}) == {"text": "AA"}
    with pytest.raises(LocalFailure, match="text:upper: times is 'b', but must be a whole number") as caught:
        run_local(text % "b", {"text:upper": upper}, {"text": "a"})
    assert caught.value.place == "step 1"


def test_functions_may_be_async() -> None:
    async def double(input: Json) -> Json:
        return {"n": 2 * input["n"]}

    marked = task("b")(double)
    assert run_local("a -> b -> c", {"a": double, "b": marked, "c": dict}, {"n": 1}) == {"n": 4}


def test_functions_that_do_not_tell_what_they_take() -> None:
    assert run_local("A", {"A": dict}, {"n": 1}) == {"n": 1}
    mock = Mock(return_value={"n": 1})
    assert run_local("A", {"A": mock}) == {"n": 1}
    assert mock.call_args.args[:4] == ("A", "A", 1, {})


def test_a_function_that_takes_something_else() -> None:
    with pytest.raises(BadInput, match="the function for task A cannot be called"):
        run_local("A", {"A": lambda one, two, three: {}})


def test_one_function_for_all() -> None:
    calls = []

    def do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
        calls.append((name, base, index))
        return {"n": index}

    assert run_local("@task X = A\nX -> wait:delay -> B", do) == {"n": 3}
    assert calls == [("X", "A", 1), ("wait:delay", "wait:delay", 2), ("B", "B", 3)]


def test_an_alias_has_its_own_function_or_that_of_its_task() -> None:
    text = "@task X = A\nX -> A"
    calls: list[str] = []
    tasks = {"A": lambda: calls.append("A")}
    run_local(text, tasks)
    run_local(text, {**tasks, "X": lambda: calls.append("X")})
    assert calls == ["A", "A", "X", "A"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A -> B", "there is no function for task B"),
        ("A -> X\n@task X = B", "there is no function for task X, which is an alias of B"),
        ("A -> request:http", "there is no function for task request:http"),
    ],
)
def test_a_missing_function(text: str, message: str) -> None:
    with pytest.raises(LocalFailure) as caught:
        run_local(text, {"A": lambda: None})
    assert caught.value.message == message


def test_what_a_function_raises_passes_through() -> None:
    def broken(input: Json) -> Json:
        raise ZeroDivisionError("by zero")

    with pytest.raises(ZeroDivisionError, match="by zero") as caught:
        run_local("A -> B", {"A": lambda: {}, "B": broken})
    assert caught.value.__notes__ == ["in step 2 of a flow, task B"]


def test_a_step_that_fails_by_itself() -> None:
    with pytest.raises(LocalFailure, match="cannot merge"):
        run_local("A -> > B", {"A": lambda: [1], "B": dict})


def test_a_delay_does_not_wait_but_is_checked() -> None:
    text = "A -> wait:delay(- duration: %s -)"
    tasks: dict[str, Any] = {"A": lambda: {"n": 1}}
    assert run_local(text % 3600, tasks) == {"n": 1}
    with pytest.raises(LocalFailure, match="duration"):
        run_local(text % "soon", tasks)
    assert run_local(text % "soon", {**tasks, "wait:delay": lambda: {"n": 2}}) == {"n": 2}


def test_tasks_share_no_values() -> None:
    def spoil(input: Json) -> Json:
        input["list"].append("spoilt")
        return (input["list"],)

    inputs = []
    workflow_input = {"list": [1]}
    tasks = {"A": spoil, "B": lambda input: inputs.append(input)}
    assert run_local("A -> B; B", tasks, workflow_input) == [None, None]
    assert inputs == [{"list": [1]}, [[1, "spoilt"]]]
    assert workflow_input == {"list": [1]}


@pytest.mark.parametrize("output", [{1, 2}, {"x": object()}, float("nan"), [Path()]])
def test_an_output_that_is_not_json(output: object) -> None:
    with pytest.raises(LocalFailure, match="the output of task A, step 1, is not JSON"):
        run_local("A", {"A": lambda: output})


@pytest.mark.parametrize("input", [7, "text", True, [], {}, 1.5])
def test_an_input_of_any_kind(input: Json) -> None:
    assert run_local("A", lambda input: input, input) == input


def test_no_input_is_an_empty_object() -> None:
    assert run_local("A", lambda input: input) == run_local("A", lambda input: input, None) == {}


def test_an_input_that_is_no_json() -> None:
    with pytest.raises(BadInput, match="the input cannot be written as JSON"):
        run_local("A", dict, {1, 2})


def test_the_trace_is_called_before_each_task() -> None:
    calls: list[Any] = []
    tasks = {"A": lambda: calls.append("done") or {"n": 1}, "B": dict}
    run_local("A -> B", tasks, {"x": 1}, lambda *task: calls.append(task))
    assert calls == [(1, "A", {"x": 1}), "done", (2, "B", {"n": 1})]


def test_an_end_that_is_never_reached_gives_none() -> None:
    assert run_local(":w -> A -> B -> :w; C -> { :x -> A -> :x }", {"C": dict}) is None


def test_a_loop_is_stopped() -> None:
    with pytest.raises(LocalFailure, match="after 50 tasks the run was stopped"):
        run_local("A -> :start", {"A": dict}, limit=50)


def test_a_loop_is_stopped_after_so_many_turns() -> None:
    indices: list[int] = []
    with pytest.raises(LocalFailure, match="leads back to its :start"):
        run_local(
            "* A -> B -> :start", lambda *task: {}, [1, 2], lambda index, *_: indices.append(index), turns=3
        )
    assert indices == [1, 1, 2] * 3
    assert run_local("A -> * B", lambda *task: [1], turns=1) == [[1]]


def test_any_mapping_will_do() -> None:
    class Lazily(Mapping[str, Any]):
        def __getitem__(self, name: str) -> Any:
            return lambda: {"name": name}

        def __contains__(self, name: object) -> bool:
            return True

        def __iter__(self) -> Any:
            return iter(())

        def __len__(self) -> int:
            return 0

    assert run_local("A -> B", Lazily()) == {"name": "B"}


def test_neither_redis_nor_anything_big_is_needed() -> None:
    heavy = {"redis", "rqse", "yaml", "urllib3"}
    script = f"""
import lfr, sys
assert lfr.run_local("A -> B", {{"A": lambda: [1], "B": list}}) == [1]
sys.exit(" ".join(sys.modules.keys() & {heavy!r}) or None)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_base_may_be_relative_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lfr.base_uri import absolute_base

    monkeypatch.chdir(tmp_path)
    assert absolute_base("flows") == absolute_base(Path("flows/")) == os.path.join(os.getcwd(), "flows")
    assert absolute_base("http://example.com/") == "http://example.com/"
    assert absolute_base(None) is None
    assert compile_flow("A", base="flows") == compile_flow("A", tmp_path)


def test_the_context_of_a_local_run_has_what_that_of_a_worker_has() -> None:
    task = StartTask("workflow:a", "a", "a", 1, None, None, 1)
    context = Context(open_store(Settings()), task)
    names = {name for name in (*dir(Context), *vars(context)) if not name.startswith("_")}
    assert names - {"end"} <= set(dir(LocalContext("a", 1)))  # `end` is for the executor


def test_a_call_needs_a_function_which_may_run_a_flow() -> None:
    tasks = {"card": lambda input: {"paid": input["n"]}}
    with pytest.raises(LocalFailure, match="flow:pay is a stored flow, and there is no function for it"):
        run_local("@task p = flow:pay p", tasks, {"n": 1})
    pay = {"flow:pay": lambda input: run_local("@flow pay card", tasks, input)}
    assert run_local("@task p = flow:pay * p", pay, [{"n": 1}, {"n": 2}]) == [{"paid": 1}, {"paid": 2}]
