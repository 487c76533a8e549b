"""`lfr run --local`: a flow in this process, shown step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lfr.cli.commands import run_local
from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main
from lfr.cli.ui.terminal import truncate
from lfr.language import compile_flow
from lfr.values.json import ABSENT
from tests.support.screens import terminal, written

EXAMPLES = Path(__file__).parents[3] / "examples"

FLOW = """
@task upper = text:upper
<set.json> -> upper -> ? `$.yes` { B -> C } -> <out.json>;
A | D -> wait:delay(- duration: 3600 -) -> ? `$.yes` E -> * F
"""


def run(
    text: str, input: Any = ABSENT, *, base: str | None = None, with_trace: bool = False
) -> tuple[Any, str, str]:
    """Run a flow; return the exit code, stdout and stderr."""
    screen = terminal()
    code = run_local.run_flow_here(compile_flow(text, base), input, screen, with_trace=with_trace)
    return code, written(screen.out), written(screen.err)


def test_each_step_is_shown_with_its_input_and_the_result_is_printed(tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text("[7]")
    code, out, err = run(FLOW, {"n": 1}, base=str(tmp_path))
    assert code == ExitCode.OK
    assert json.loads(out) == [{"n": 1}, {"n": 1}]
    assert [path.name for path in tmp_path.iterdir()] == ["set.json"]
    assert err.splitlines() == [
        truncate(f" 1  load                file://{tmp_path}/set.json", 100),
        ' 9  A                   {"n": 1}',
        '10  D                   {"n": 1}',
        " 2  upper (text:upper)  [7]",
        " 3  (subflow)           skipped: its guard says no to [7]",
        '12  wait:delay          [{"n": 1}, {"n": 1}]',
        '13  E                   skipped: its guard says no to [{"n": 1}, {"n": 1}]',
        truncate(f" 7  store               file://{tmp_path}/out.json [7]", 100),
        '14  F                   {"n": 1}',
        '14  F                   {"n": 1}',
    ]


def test_the_whole_outcome_as_json() -> None:
    code, out, _ = run("A -> ? `$.no` B", {"n": 1}, with_trace=True)
    assert code == ExitCode.OK
    assert json.loads(out) == {
        "state": "FINISHED",
        "reason": None,
        "output": {"n": 1},
        "trace": [{"index": 1, "name": "A", "input": {"n": 1}}],
        "skipped": [2],
    }


def test_a_step_that_fails_has_the_exit_code_of_a_workflow_that_fails() -> None:
    code, out, err = run("A -> > B", [1])
    assert (code, out) == (ExitCode.FAILED, "")
    assert err.splitlines()[-1] == "lfr: step 2: cannot merge 1: only objects can be merged"
    code, out, _ = run("A -> > B", [1], with_trace=True)
    assert code == ExitCode.FAILED
    assert json.loads(out)["state"] == "FAILED"
    assert json.loads(out)["reason"] == "step 2: cannot merge 1: only objects can be merged"


@pytest.mark.parametrize("value", [{}, [], "text", 5, True, None])
def test_an_input_of_any_kind_comes_out_as_it_is(value: Any) -> None:
    code, out, err = run("A -> * B -> C", value)
    assert code == ExitCode.OK
    assert json.loads(out) == (value if isinstance(value, list) else [value])
    code, out, err = run("A", value)
    assert (json.loads(out), err) == (value, f"1  A  {json.dumps(value)}\n")
    assert json.loads(run("A", value, with_trace=True)[1])["output"] == value


def test_an_endless_loop_is_stopped_after_some_turns() -> None:
    code, out, err = run("A -> :start")
    assert (code, out) == (ExitCode.FAILED, "")
    *lines, last = err.splitlines()
    assert lines == ["1  A  {}"] * 3
    assert last == "lfr: the flow leads back to its :start, and so has no end"


def test_after_very_many_tasks_a_run_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_local, "MAX_TASKS", 20)
    code, out, err = run("* A", list(range(21)))
    assert (code, out) == (ExitCode.FAILED, "")
    *lines, last = err.splitlines()
    assert len(lines) == 20
    assert last == "lfr: after 20 tasks the run was stopped"


def test_an_end_that_is_never_reached() -> None:
    code, out, err = run(":a -> A -> :a; B -> { :a -> A -> :a }")
    assert (code, out) == (ExitCode.OK, "null\n")
    assert "there is no result" in err


def test_long_lines_are_cut_and_control_characters_are_escaped() -> None:
    _, out, err = run("A -> " + "b" * 60, {"x": "\x1b[31m" + "y" * 200})
    assert max(map(len, err.splitlines())) == 100
    assert "\x1b" not in out + err
    assert json.loads(out)["x"].startswith("\x1b[31m")


def test_an_error_in_a_flow_has_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.flow").write_text("A -> %")
    assert main(["run", "--local", "x.flow"]) == ExitCode.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("x.flow:1:6: ")


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Relative resources are in the folder of the flow, or where --base says."""
    flow = tmp_path / "a b" / "x.flow"
    flow.parent.mkdir()
    flow.write_text("<set.yaml> -> A")
    (flow.parent / "set.yaml").write_text("name: ann")
    assert main(["run", "--local", str(flow), "--input", "[1]"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"name": "ann"}
    assert main(["run", "--local", str(flow), "--base", str(tmp_path)]) == ExitCode.FAILED
    assert f"lfr: step 1: {tmp_path}/set.yaml: there is no such file" in capsys.readouterr().err


def test_nothing_is_fetched_from_the_web(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("<x.yaml> -> A -> <x.csv>", base="http://0.0.0.0:1/")
    assert (code, out) == (ExitCode.OK, "{}\n")
    assert err.splitlines()[0] == "1  load   http://0.0.0.0:1/x.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A -> <out.dat>", "step 2: resource:store needs the parameter content-type"),
        ("A -> wait:delay (- duration: -1 -)", "step 2: wait:delay: duration is -1"),
        ("<set.json>(- content-type: image/png -) -> A", "step 1: resource:load: content-type"),
    ],
)
def test_parameters_that_a_built_in_task_could_not_use(text: str, message: str, tmp_path: Path) -> None:
    code, _, err = run(text, base=str(tmp_path))
    assert code == ExitCode.FAILED
    assert f"lfr: {message}" in err


def test_a_relative_resource_without_a_base() -> None:
    code, _, err = run("<set.json> -> A")
    assert code == ExitCode.FAILED
    assert "step 1: 'set.json' is relative" in err
    assert "--base" in err


def test_graphs_show_resources_as_written_without_a_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = tmp_path / "x.flow"
    flow.write_text("<set.json> -> A")
    assert main(["check", str(flow)]) == ExitCode.OK
    assert main(["graph", str(flow)]) == ExitCode.OK
    assert '"set.json"' in capsys.readouterr().out
    assert main(["graph", str(flow), "--base", str(tmp_path)]) == ExitCode.OK
    assert f'"file://{tmp_path}/set.json'[:40] in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.flow")), ids=lambda path: path.name)
def test_the_examples_can_be_tried_out(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--local", str(path)]) == ExitCode.OK
    assert isinstance(json.loads(capsys.readouterr().out), dict | list)
