"""The tests that docs/guarantees.md names exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guarantees.md"


def test_each_promise_names_tests_that_exist() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if "::" in row]
    assert len(promises) >= 30
    for row in promises:
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row):
            assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"


def test_every_row_with_a_promise_names_a_test() -> None:
    for table in re.findall(r"\| promise \|.*?\n\n", PAGE.read_text(), re.DOTALL):
        for row in table.strip().splitlines()[2:]:
            assert re.search(r"`tests/[\w/]+\.py::\w+` \|$", row), row
