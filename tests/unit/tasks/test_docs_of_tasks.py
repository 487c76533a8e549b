"""docs/tasks.md tells of every built-in task, and of each parameter what the catalogue says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lfr.language import compile_flow
from lfr.tasks.catalogue import CATALOGUE, BuiltInTask
from lfr.tasks.parameters import Parameter
from lfr.tasks.redis_command import USUAL_COMMANDS

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text()
CHAPTERS = {chapter.partition("\n")[0]: chapter for chapter in PAGE.split("\n## ")[1:]}


def chapter_of(task: BuiltInTask) -> str:
    """The text under the heading that names the task."""
    found = [text for heading, text in CHAPTERS.items() if task.name in heading.split(", ")]
    assert len(found) == 1, f"{task.name} has {len(found)} chapters"
    return found[0]


def told(parameter: Parameter) -> str:
    """The row of the table that is due to a parameter."""
    default = "" if parameter.default is None else f"`{json.dumps(parameter.default).strip(chr(34))}`"
    if parameter.is_needed:
        default = "needed"
    return f"| `{parameter.name}` | {parameter.check.words} | {default} | {parameter.help} |"


@pytest.mark.parametrize("task", CATALOGUE, ids=lambda task: task.name)
def test_every_task_is_told_with_its_parameters_and_no_others(task: BuiltInTask) -> None:
    chapter = chapter_of(task)
    rows = [line for line in chapter.splitlines() if line.startswith("| `")]
    assert rows == [told(parameter) for parameter in task.parameters]
    assert f"Role: `{task.role}`" in " ".join(chapter.split())


def test_the_examples_are_right() -> None:
    for heading, chapter in CHAPTERS.items():
        examples = [line for line in chapter.splitlines() if line.startswith("    ")]
        if ":" in heading:
            assert examples, f"{heading} has no example"
            compile_flow("\n".join(examples))


def test_the_usual_commands_are_told() -> None:
    listed = [line for line in CHAPTERS["redis:COMMAND"].splitlines() if line.startswith("> ")]
    assert re.findall(r"`(\w+)`", "".join(listed)) == sorted(USUAL_COMMANDS)
