"""How many entries are read and processed at once: bounded by bytes as well as by entries."""

from __future__ import annotations

import pytest

from lfr.store.stream import read_size
from lfr.store.stream.entries import Entry
from lfr.store.stream.read_size import MAX_READ_BYTES, ReadSize, split_by_bytes


def entry(number: int, size: int) -> Entry:
    return Entry(f"{number}-0", {b"input": b"x" * size}, "workflows:run")


def test_the_first_read_asks_for_few_entries_and_the_next_for_all_if_they_are_small() -> None:
    size = ReadSize()
    assert size.next_count(500) == 100
    size.note(100, 100 * 1000)
    assert size.next_count(500) == 500
    assert size.next_count(8) == 8


def test_large_entries_are_read_few_at_a_time() -> None:
    size = ReadSize()
    size.note(10, 10 * 2**20)
    assert size.next_count(500) == 16
    size.note(16, 16 * 2**25)
    assert size.next_count(500) == 1
    size.note(1, 1000)
    assert size.next_count(500) == 500


def test_a_read_without_entries_says_nothing_about_their_size() -> None:
    size = ReadSize()
    size.note(4, 4 * MAX_READ_BYTES)
    size.note(0, 5)
    assert size.next_count(500) == 1


def test_after_a_long_time_the_next_read_asks_for_few_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(read_size.time, "monotonic", lambda: now)
    size = ReadSize()
    size.note(50, 50)
    now = 101.0
    assert size.next_count(500) == 500
    now = 103.0
    assert size.next_count(500) == 100


def test_what_was_read_is_split_in_its_order() -> None:
    small, large, larger = entry(1, 100), entry(2, MAX_READ_BYTES - 100), entry(4, 3 * MAX_READ_BYTES)
    last = entry(5, 1)
    assert split_by_bytes([small, large, entry(3, 1), larger, last]) == [
        [small, large],
        [entry(3, 1)],
        [larger],
        [last],
    ]
    assert split_by_bytes([]) == []
