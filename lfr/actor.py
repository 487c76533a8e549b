"""Who changes something by hand, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_NAME: Final = 200
MAX_REASON: Final = 500
"""Characters of a name and of a reason; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something by hand, and why. `make_actor` makes one of texts from outside.

    name    the name of a token of the API, or user and host, as `ann@web1`
    reason  the reason that the actor gives; empty: none
    """

    name: str
    reason: str = ""


def make_actor(name: str, reason: str = "") -> Actor:
    """Return the actor with this name and reason. Each becomes one line, without halves of surrogate pairs,
    and is cut at its limit, so that it can stand in a history."""
    return Actor(_one_line(name, MAX_NAME), _one_line(reason, MAX_REASON))


def _one_line(text: str, most: int) -> str:
    line = " ".join(text[: 10 * most].split()).encode(errors="replace").decode()
    return line if len(line) <= most else line[: most - 1] + "…"
