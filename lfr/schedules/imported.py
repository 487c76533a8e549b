"""A schedule of another system, as a flow text with one task, which a worker does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lfr.schedules.start_ids import MAX_NAME
from lfr.values.json import Json
from lfr.values.printable import printable, printable_json

TASK_PREFIX: Final = "cron:"
"""What the names of the tasks begin with."""

_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class ImportedSchedule:
    """A schedule that was read from a file.

    name      of the flow and, with TASK_PREFIX before it, of its task
    schedule  as it stands in a flow text
    command   a parameter of the task
    origin    where it comes from, in words
    notes     what is not carried over, and what to do about it
    """

    name: str
    schedule: Mapping[str, Json]
    command: str
    origin: str
    notes: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """The name of its task."""
        return TASK_PREFIX + self.name

    def flow_text(self) -> str:
        """Return its flow text."""
        lines = [f"# {printable(line)}" for line in (f"From {self.origin}.", *self.notes)]
        lines.append(f"@flow {self.name} (- {_literal({'schedule': self.schedule})} -)")
        lines.append(f"{self.task} (- {_literal({'command': self.command})} -)")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Import:
    """What a file gives: its schedules, and what in it gives none, each with its location and the reason."""

    schedules: tuple[ImportedSchedule, ...]
    refusals: tuple[str, ...]


def name_of(words: str, used_names: dict[str, int]) -> str:
    """Return the name of a flow, made of these words, that is not among `used_names`; add it to them. Each
    has the number of the latest name that was made of it: a crontab may have a line many times."""
    base = _NOT_IN_NAME.sub("_", words).strip("_")[: MAX_NAME - 8] or "task"
    base = base if not base[0].isdigit() else f"_{base}"
    name, number = base, used_names.get(base, 1)
    while name in used_names:
        number += 1
        name = f"{base}_{number}"
    used_names |= {name: 1, base: number}
    return name


def _literal(value: Json) -> str:
    """Return JSON that does not end the parameters around it, and shows what it says: with marks of direction
    a command could look like another one."""
    return printable_json(json.dumps(value, ensure_ascii=False)).replace("-)", "-\\u0029")
