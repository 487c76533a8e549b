"""Where two JSON values differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.values.json import ABSENT, Json
from lfr.values.json_differences import find_differences

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("first", "second", "differences"),
    [
        ({"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 2]}, []),
        ({"a": 1}, {"a": 2}, [("$.a", 1, 2)]),
        ({"b": [{"c": 1}, 5]}, {"b": [{"c": 2}]}, [("$.b[0].c", 1, 2), ("$.b[1]", 5, ABSENT)]),
        ({}, {"a b": None}, [('$["a b"]', ABSENT, None)]),
        (1, 1.0, []),
        ([True], [1], [("$[0]", True, 1)]),
        ({"a": []}, {"a": {}}, [("$.a", [], {})]),
        ("x", None, [("$", "x", None)]),
    ],
)
def test_places(first: Json, second: Json, differences: list[tuple[str, Json, Json]]) -> None:
    assert list(find_differences(first, second)) == differences


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Json) -> None:
    assert not list(find_differences(value, value))


@given(VALUES, VALUES)
def test_the_other_way_round_the_same_places_differ(first: Json, second: Json) -> None:
    there = {(path, repr(one), repr(two)) for path, one, two in find_differences(first, second)}
    back = {(path, repr(one), repr(two)) for path, two, one in find_differences(second, first)}
    assert there == back
