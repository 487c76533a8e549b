"""Waits and events have a match key in common exactly if the fields that the wait asks for are equal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.tasks.match_keys import field_set, match_key, match_keys
from lfr.values.json import Json

VALUES = st.sampled_from([None, True, 1, 1.0, 0, False, "1", "", [], [1], {}, {"a": 1}, {"b": 1.0, "a": [2]}])
FIELDS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def same(one: Json, other: Json) -> bool:
    """Return whether two values are equal in JSON, by the definition."""
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, numbers) and isinstance(other, numbers):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@given(st.lists(FIELDS, max_size=5), FIELDS, st.sampled_from(["k", "l"]))
def test_an_event_finds_the_waits_of_which_every_field_is_equal_in_it(
    matches: list[dict[str, Json]], event: dict[str, Json], kind: str
) -> None:
    field_sets = {field_set(match) for match in matches}
    keys = match_keys(kind, event, field_sets)
    for match in matches:
        is_equal = all(name in event and same(value, event[name]) for name, value in match.items())
        assert (match_key("k", match) in keys) == (is_equal and kind == "k")
    assert len(keys) <= len(field_sets)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": -0.0}, {"a": 0}),
        ({"a": 1e300},) * 2,
    ],
)
def test_equal_values_have_one_match_key(one: dict[str, Json], other: dict[str, Json]) -> None:
    assert match_key("k", one) == match_key("k", other)


def test_a_field_set_does_not_depend_on_the_order() -> None:
    assert field_set({"b": 1, "a": 2}) == field_set({"a": 3, "b": 4}) == json.dumps(["a", "b"])
    assert match_key("k", {"a": None}) not in match_keys("k", {}, [field_set({"a": None})])
