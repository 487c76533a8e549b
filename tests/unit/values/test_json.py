"""Encodes JSON: the fast way writes what the standard library writes, and refuses with its words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.states import WorkflowState
from lfr.values import json as lfr_json
from lfr.values.json import InvalidJson, JsonTexts, decode_json, decode_json_lists, encode_json

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_a_value_is_encoded_as_the_standard_library_does(value: object) -> None:
    assert encode_json(value) == json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize("value", [WorkflowState.RUNNING, (1, 2), {1: 2, None: 3}, "\ud800", -0.0, 10**30])
def test_other_python_values_are_encoded_likewise(value: object) -> None:
    assert encode_json(value) == json.dumps(value, separators=(",", ":"))


_CYCLE: list[object] = []
_CYCLE.append(_CYCLE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([_CYCLE], "Circular reference"),
        ({"a": {1}}, "set is not JSON serializable"),
        (float("nan"), "not JSON compliant"),
        ([float("inf")], "not JSON compliant"),
        ({(1,): 2}, "keys must be str"),
    ],
)
def test_a_value_that_is_no_json_is_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(InvalidJson, match=reason):
        encode_json(value)


def test_a_python_without_the_fast_encoder_writes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = lfr_json._encode
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    slow = lfr_json._find_encode()
    value = {"a": [1, None, "ü"], "b": 0.5}
    assert "".join(slow(value, 0)) == "".join(fast(value, 0))
    assert slow is not fast


_LONG_VALUE = {"a": list(range(100)), "b": "ü"}
_LONG_TEXT = json.dumps(_LONG_VALUE).encode()  # with blanks


def test_a_long_text_goes_on_as_it_came_twice_and_then_encoded() -> None:
    texts, value = JsonTexts(), decode_json(_LONG_TEXT)
    texts.add(value, _LONG_TEXT)
    assert [texts.encode(value) for _ in range(2)] == [_LONG_TEXT.decode()] * 2
    assert [texts.encode(value) for _ in range(5)] == [encode_json(_LONG_VALUE)] * 5


def test_a_copy_of_a_value_does_not_have_its_text() -> None:
    texts, value = JsonTexts(), decode_json(_LONG_TEXT)
    texts.add(value, _LONG_TEXT)
    assert texts.encode(dict(value)) == encode_json(_LONG_VALUE)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(_LONG_VALUE, indent=1).encode(),
        json.dumps(_LONG_VALUE, ensure_ascii=False).encode(),
        b'{"a": 1}',
    ],
    ids=["lines", "beyond-ascii", "short"],
)
def test_other_texts_are_encoded_again(text: bytes) -> None:
    texts, value = JsonTexts(), decode_json(text)
    texts.add(value, text)
    assert texts.encode(value) == encode_json(value)


@given(st.lists(st.lists(_VALUES | st.just(_LONG_VALUE), max_size=4), min_size=1, max_size=4))
def test_many_texts_are_decoded_at_once(lists: list[list[object]]) -> None:
    encoded = [[json.dumps(value).encode() for value in values] for values in lists]
    assert decode_json_lists(encoded) == lists


@pytest.mark.parametrize("texts", [(b"[1", b"2]", b"3,4"), (b"[[", b"]]", b"1],[2"), (b'"a', b'b"', b"3,4")])
def test_a_long_text_must_be_json_by_itself(texts: tuple[bytes, ...]) -> None:
    *halves, two = texts
    with pytest.raises(InvalidJson):
        decode_json_lists([[*halves, two.rjust(300) + b" " * 300]])
