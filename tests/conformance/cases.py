"""The conformance cases, as README.md beside this file describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

Case: TypeAlias = dict[str, Any]

_HERE = Path(__file__).parent


def _load(name: str) -> Any:
    return json.loads((_HERE / name).read_text(encoding="utf-8"))


CASES: list[Case] = _load("cases.json")
"""All cases, in the order of the file."""

RIGHT: list[Case] = [case for case in CASES if "steps" in case]
"""The cases whose flow compiles."""

WRONG: list[Case] = [case for case in CASES if "steps" not in case]
"""The flows that cannot be compiled."""

GUARDS: list[tuple[str, Any, bool]] = [
    (text, value, verdict) for text, value, verdict in _load("guards.json")
]
"""Guards: the expression, an input, and the result."""


def case_id(case: Case) -> str:
    """Return the name of a case in pytest."""
    name: str = case["name"]
    return name
