"""`lfr run --local`: run a flow in this process to see what it does.

Each task returns its input, and nothing waits. Files that the flow loads are loaded, because otherwise there
would be little to see; nothing is stored, sent, or fetched from the web.
"""

from __future__ import annotations

import json
from typing import Final

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.format_values import short_json
from lfr.cli.ui.format_workflow import step_name
from lfr.cli.ui.terminal import Terminal, display_width, pad, truncate
from lfr.config.settings import Settings
from lfr.engine.local import run_flow
from lfr.engine.step_inputs import normalize_input
from lfr.flow import Flow, Step, StepKind
from lfr.flow_inputs import complete_input
from lfr.local import LocalFailure, as_task
from lfr.step_options import LOAD, STORE
from lfr.tasks.catalogue import find_built_in
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.tasks.resource import Load, parse_load, parse_store
from lfr.tasks.uri_policy import BadLocation, FileLocation
from lfr.values.json import ABSENT, Json
from lfr.values.printable import printable

MAX_TASKS: Final = 100_000
"""The run stops after this many tasks."""

MAX_TURNS: Final = 3
"""The run stops after this many turns of a loop: more turns would show nothing new."""

_MAX_NAME_WIDTH: Final = 40


def run_flow_here(flow: Flow, input: Json, terminal: Terminal, *, with_trace: bool) -> ExitCode:
    """Run a flow: print each step on stderr and the result on stdout, and return the exit code.

    With `with_trace`, print state, reason, output and trace instead. Raises BadInput for the input.
    """
    trace = _Trace(flow, terminal)
    output: Json = ABSENT
    reason = ""
    try:
        output = run_flow(
            flow,
            as_task(_run_task),
            complete_input(flow.parameters, normalize_input(input)),
            trace.task_starts,
            skipped=trace.step_skipped,
            limit=MAX_TASKS,
            turns=MAX_TURNS,
        )
    except LocalFailure as error:
        reason = str(error)
        terminal.print_err(f"lfr: {printable(reason)}")
    value = None if output is ABSENT else output
    if with_trace:
        state = "FAILED" if reason else "FINISHED"
        outcome = {"state": state, "reason": reason or None, "output": value}
        terminal.print_json({**outcome, "trace": trace.tasks, "skipped": sorted(trace.skipped)})
    elif not reason:
        terminal.print(json.dumps(value))
    if output is ABSENT and not reason:
        terminal.print_err("lfr: no step can start any more, and the end is not reached: there is no result")
    return ExitCode.FAILED if reason else ExitCode.OK


def _run_task(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
    """Return the input as the output. Raises LocalFailure for parameters that a built-in task refuses."""
    try:
        if base == LOAD:
            return _load(parse_load(parameters), index)
        if base == STORE:
            parse_store(parameters)
            return {}
        if entry := find_built_in(base):
            parse_parameters(base, entry.parameters, parameters, input)
    except (BadParameter, BadLocation) as error:
        raise LocalFailure(str(error), place=f"step {index}") from None
    return input


def _load(load: Load, index: int) -> Json:
    if not isinstance(load.location, FileLocation):
        return {}
    from lfr.outbound.resources import ResourceClient, ResourceFailed  # imports urllib3

    try:
        return ResourceClient(Settings(resources_allow=("/",))).load(load)
    except ResourceFailed as error:
        raise LocalFailure(str(error), place=f"step {index}") from None


class _Trace:
    """Collects the steps that run, and prints a line on stderr for each: index, name, input."""

    def __init__(self, flow: Flow, terminal: Terminal) -> None:
        self.tasks: list[dict[str, Json]] = []
        self.skipped: list[int] = []
        self._steps = flow.steps
        self._titles = [_title(step) for step in flow.steps]
        self._title_width = min(_MAX_NAME_WIDTH, max(map(display_width, self._titles)))
        self._index_width = len(str(flow.last))
        self._terminal = terminal

    def task_starts(self, index: int, name: str, input: Json) -> None:
        """Add a task that is about to start."""
        self.tasks.append({"index": index, "name": name, "input": input})
        step = self._steps[index]
        if step.called_flow:
            note = f"{short_json(input)} (stored flows are not run here: its output is its input)"
            self._print(index, note)
        else:
            self._print(index, step.uri if name == LOAD else f"{step.uri} {short_json(input)}".lstrip())

    def step_skipped(self, index: int, name: str, input: Json) -> None:
        """Add a step whose guard said no."""
        self.skipped.append(index)
        self._print(index, f"skipped: its guard says no to {short_json(input)}", "dim")

    def _print(self, index: int, text: str, colour: str = "") -> None:
        title = pad(self._titles[index], self._title_width)
        line = truncate(f"{index:{self._index_width}}  {title}  {printable(text)}", self._terminal.width)
        self._terminal.print_err(self._terminal.paint(line, colour, self._terminal.err))


def _title(step: Step) -> str:
    """Return the name that the line of a step shows; "" if no line is printed for it."""
    if step.kind is StepKind.RESOURCE:
        return "store" if step.sink else "load"
    if step.kind is StepKind.TASK or step.guard is not None:
        return printable(step_name(step.name, step.base, step.kind))
    return ""
