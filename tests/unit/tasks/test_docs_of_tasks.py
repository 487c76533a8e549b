"""docs/tasks.md describes every built-in task and its parameters as the catalogue does."""

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
    """Return the text under the heading that names the task."""
    chapters = [text for heading, text in CHAPTERS.items() if task.name in heading.split(", ")]
    assert len(chapters) == 1, f"{task.name} has {len(chapters)} chapters"
    return chapters[0]


def row_of(parameter: Parameter) -> str:
    """Return the row of the table for a parameter."""
    default = "" if parameter.default is None else f"`{json.dumps(parameter.default).strip(chr(34))}`"
    if parameter.is_needed:
        default = "needed"
    return f"| `{parameter.name}` | {parameter.check.words} | {default} | {parameter.help} |"


@pytest.mark.parametrize("task", CATALOGUE, ids=lambda task: task.name)
def test_every_task_has_its_parameters_and_no_others(task: BuiltInTask) -> None:
    chapter = chapter_of(task)
    rows = [line for line in chapter.splitlines() if line.startswith("| `")]
    assert rows == [row_of(parameter) for parameter in task.parameters]
    assert f"Role: `{task.role}`" in " ".join(chapter.split())


def test_the_examples_are_right() -> None:
    for heading, chapter in CHAPTERS.items():
        examples = [line for line in chapter.splitlines() if line.startswith("    ")]
        if ":" in heading:
            assert examples, f"{heading} has no example"
            compile_flow("\n".join(examples))


def test_the_usual_commands_are_listed() -> None:
    lines = [line for line in CHAPTERS["redis:COMMAND"].splitlines() if line.startswith("> ")]
    assert re.findall(r"`(\w+)`", "".join(lines)) == sorted(USUAL_COMMANDS)
