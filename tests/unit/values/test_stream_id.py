"""Stream ids: compared as numbers, written as Redis writes them."""

from __future__ import annotations

import pytest

from lfr.values.stream_id import StreamId


def test_the_order_of_the_stream_is_not_that_of_texts() -> None:
    ids = ["9-5", "10-0", "10-2", "10-10"]
    assert sorted(ids, key=StreamId.parse) == ids
    assert sorted(reversed(ids), key=lambda id: StreamId.parse(id).score) == ids


@pytest.mark.parametrize("text", ["0-0", "1700000000123-17"])
def test_an_id_is_written_as_it_was_read(text: str) -> None:
    assert str(StreamId.parse(text)) == text


def test_an_id_without_a_sequence_is_the_first_of_its_millisecond() -> None:
    assert StreamId.parse("12") == (12, 0)


@pytest.mark.parametrize("text", ["", "-1", "$", "a-1", "1-b"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        StreamId.parse(text)


def test_a_score_holds_the_sequence_exactly_up_to_4095() -> None:
    now_ms = 1_900_000_000_000
    scores = [StreamId(now_ms, sequence).score for sequence in (0, 1, 4094, 4095, 5000)]
    assert scores == sorted(scores) and len(set(scores)) == 4
    assert scores[-1] < StreamId(now_ms + 1, 0).score
