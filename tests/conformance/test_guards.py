"""The result of every guard of the conformance cases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lfr.guard import parse_guard
from tests.conformance.cases import GUARDS


@pytest.mark.parametrize(
    ("text", "value", "verdict"), GUARDS, ids=[f"{text} {json.dumps(value)}" for text, value, _ in GUARDS]
)
def test_result(text: str, value: Any, verdict: bool) -> None:
    assert parse_guard(text).holds(value) is verdict


def test_no_guard_is_missing() -> None:
    assert len(GUARDS) == 300
