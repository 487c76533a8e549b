"""Events as JSON texts: the same objects that a decoder would find, and texts where one is no event."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.store.stream.event_texts import EventTexts

Event = list[bytes]

VALUES = st.one_of(
    st.none(), st.integers(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.text())
)
EVENTS = st.lists(st.dictionaries(st.text(), VALUES), max_size=5)


def flat(event: dict[str, object]) -> Event:
    return [part for name, value in event.items() for part in (name.encode(), json.dumps(value).encode())]


@given(EVENTS)
def test_the_text_of_an_event_is_the_object_of_its_fields(events: list[dict[str, object]]) -> None:
    texts = EventTexts()
    for _ in range(2):  # then the values are known
        assert [json.loads(text) for text in texts.encode(list(map(flat, events)))] == events


@pytest.mark.parametrize(
    "garbage",
    [b"\xff", b"", b"no", b'"a', b"1],[2", b'1,"b":2', b"NaN", b"01", b"[" * 300 + b"]" * 300, b'"\n"'],
)
def test_an_event_with_a_value_that_is_not_json_becomes_texts_and_changes_no_other(garbage: bytes) -> None:
    texts = EventTexts()
    for _ in range(2):  # it is garbage still when it comes again
        first, second = map(json.loads, texts.encode([[b"a", garbage, b"b", b"1"], [b"a", b"2"]]))
        assert first == {"a": garbage.decode(errors="backslashreplace"), "b": "1"}
        assert second == {"a": 2}


def test_of_a_field_that_an_event_has_twice_the_last_counts() -> None:
    events = [[b"a", b"1", b"b", b"2", b"a", b"3"], [b"%s", b"1", b"\xff", b"2"]]
    assert EventTexts().encode(events) == ['{"a":3,"b":2}', '{"%s":1,"\\\\xff":2}']
