"""Prints what a command has changed: a sentence for people, or an object for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lfr.cli.ui.terminal import Terminal
from lfr.states import WorkflowState
from lfr.values.json import Json
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.operations.intervene import ChangedStep


def print_change(terminal: Terminal, sentence: str, fields: Mapping[str, Json], *, as_json: bool) -> None:
    """Print on stdout what was changed: the fields as an object, or else the sentence."""
    if as_json:
        terminal.print_json(dict(fields))
    else:
        terminal.print(printable(sentence))


def print_step_change(terminal: Terminal, change: ChangedStep, what: str, *, as_json: bool) -> None:
    """Print what was changed in a step; `what` says it, such as `is skipped`."""
    sentence = f"{step_text(change.index, change.name)} of {change.id} {what}"
    if change.state is not WorkflowState.RUNNING:
        sentence += f"; the workflow is {change.state}"
    fields: dict[str, Json] = {"workflow": change.id, "state": change.state.value}
    fields |= {"index": change.index, "name": change.name, "attempt": change.attempt}
    print_change(terminal, sentence, fields, as_json=as_json)


def step_text(index: int, name: str) -> str:
    """Return how a sentence names a step: `step 4 (deploy)`."""
    return f"step {index} ({name})" if name else f"step {index}"
