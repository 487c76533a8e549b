"""`lfr run --local`: a flow in this process, to see what it does.

Each task gives back its input, and nothing waits. Files that a flow loads are really loaded, for else there
would be little to see; but nothing is stored, sent, or fetched from the web.
"""

from __future__ import annotations

import json
from typing import Final

from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import long_json, short_json, step_name
from lfr.cli.ui.terminal import Terminal, columns, cut, padded, printable
from lfr.config.settings import Settings
from lfr.flow import Flow, Step, StepKind
from lfr.local import LocalFailure, run_local
from lfr.tasks.catalogue import LOAD, STORE, find_built_in
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.tasks.resource import Load, parse_load, parse_store
from lfr.tasks.uri_policy import BadLocation, FileLocation
from lfr.values.json import Json

MOST_TASKS: Final = 100_000
"""After so many it is stopped."""

MOST_TURNS: Final = 3
"""After so many turns of a loop there is nothing new to see."""

_WIDEST_NAME: Final = 40


def run_here(flow: Flow, input: Json, terminal: Terminal, *, whole: bool) -> Exit:
    """Run a flow; tell of each step on stderr and of the result on stdout; how it ended.

    `whole`: print the whole outcome, with the trace. Raises BadInput for an input that cannot be used.
    """
    teller = _Teller(flow, terminal)
    output: Json = None
    reason = ""
    try:
        output = run_local(
            flow, _do, input, teller.starts, skipped=teller.skips, limit=MOST_TASKS, turns=MOST_TURNS
        )
    except LocalFailure as error:
        reason = str(error)
        terminal.say(f"lfr: {printable(reason)}")
    if whole:
        state = "FAILED" if reason else "FINISHED"
        outcome = {"state": state, "reason": reason or None, "output": output}
        terminal.print(long_json({**outcome, "trace": teller.trace, "skipped": sorted(teller.skipped)}))
    elif not reason:
        terminal.print(json.dumps(output))
    if output is None and not reason:
        terminal.say("lfr: nothing is left to do, but the end has not been reached: there is no result")
    return Exit.FAILED if reason else Exit.OK


def _do(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
    """What a task gives: its input. Raises LocalFailure for parameters that would fail a built-in task."""
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
    """What is in a file; `{}` for what is on the web. Raises LocalFailure."""
    if not isinstance(load.place, FileLocation):
        return {}
    from lfr.outbound.resources import ResourceClient, ResourceFailed  # imports urllib3

    try:
        return ResourceClient(Settings(resources_allow=("/",))).load(load)
    except ResourceFailed as error:
        raise LocalFailure(str(error), place=f"step {index}") from None


class _Teller:
    """What has happened so far; each step that has a name is told in a line: index, name, input."""

    def __init__(self, flow: Flow, terminal: Terminal) -> None:
        self.trace: list[dict[str, Json]] = []
        self.skipped: list[int] = []
        self._steps = flow.steps
        self._names = [_name(step) for step in flow.steps]
        self._widest = min(_WIDEST_NAME, max(map(columns, self._names)))
        self._digits = len(str(flow.last))
        self._terminal = terminal

    def starts(self, index: int, name: str, input: Json) -> None:
        """A task is about to be done."""
        self.trace.append({"index": index, "name": name, "input": input})
        uri = self._steps[index].uri
        self._tell(index, uri if name == LOAD else f"{uri} {short_json(input)}".lstrip())

    def skips(self, index: int, name: str, input: Json) -> None:
        """A guard has said no."""
        self.skipped.append(index)
        self._tell(index, f"skipped: its guard says no to {short_json(input)}", "dim")

    def _tell(self, index: int, words: str, colour: str = "") -> None:
        name = padded(self._names[index], self._widest)
        line = cut(f"{index:{self._digits}}  {name}  {printable(words)}", self._terminal.width)
        self._terminal.say(self._terminal.paint(line, colour, self._terminal.err))


def _name(step: Step) -> str:
    """What a line calls a step; empty for one that no line can be about."""
    if step.kind is StepKind.RESOURCE:
        return "store" if step.sink else "load"
    if step.kind is StepKind.TASK or step.guard is not None:
        return printable(step_name(step.name, step.base, step.kind))
    return ""
