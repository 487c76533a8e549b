"""Guards, beyond the conformance table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lfr.guard import GuardError, parse_guard
from lfr.values.work import LookBudget

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "a", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


def holds(text: str, value: Any) -> bool:
    return parse_guard(text).holds(value)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("$[?(@.a==1)]", "$[?(@.a=1)]"),
        ("$[?@.a=1]", "$[?(@.a=1)]"),
        ("$[?(!@.a)]", "$[?(not @.a)]"),
        ("$[?(@.a && @.b)]", "$[?(@.a and @.b)]"),
        ("$[?(@.a || @.b)]", "$[?(@.a or @.b)]"),
        ("$['a']", '$["a"]'),
        ("$\n[ ? ( @ . a\t= 1 ) ]", "$[?(@.a=1)]"),
        ("$[?(not not @.a)]", "$[?(@.a)]"),
        ("$[?(1=@.a)]", "$[?(@.a=1)]"),
        ("$[0:2]", "$[:2:1]"),
        ("$[?(@.a and @.b or @.c)]", "$[?(@.a and (@.b or @.c))]"),
        ("$[?(@.a or @.b and @.c)]", "$[?((@.a or @.b) and @.c)]"),
    ],
)
@given(value=values)
def test_two_ways_to_write_one_guard(text: str, same: str, value: Any) -> None:
    assert holds(text, value) == holds(same, value)


@pytest.mark.parametrize(
    ("text", "value", "verdict"),
    [
        ("$['it\\'s']", {"it's": 0}, True),
        ("$['say \"x\"']", {'say "x"': 0}, True),
        ('$["\\u00e9"]', {"é": 0}, True),
        ('$["a\\"b"]', {'a"b': 0}, True),
        ("$.and.or.not.true", {"and": {"or": {"not": {"true": 1}}}}, True),
        ('$[?(@.a="b or c")]', {"a": "b or c"}, True),
        ("$[?(@.a=@.b)]", {"a": {"x": [1, {}]}, "b": {"x": [1.0, {}]}}, True),
        ("$[?(@.a=@.b)]", {"a": {"x": [1, {}]}, "b": {"x": [1, []]}}, False),
        ("$[?(@.a!=@.b)]", {"a": [1, 2], "b": [1, 2]}, False),
        ("$[?(@.a[*]!=@.b[*])]", {"a": [1, 1], "b": [1, 1]}, False),
        ("$[?(@.a[*]!=@.b[*])]", {"a": [1, 1], "b": [1, 2]}, True),
        ("$[?(@.a[*]<@.b[*])]", {"a": [9, 3], "b": [1, 4]}, True),
        ("$[?(@.a[*]<@.b[*])]", {"a": [9, 5], "b": ["x", 4]}, False),
        ('$[?("a"<"b")]', {}, False),
        ("$[?(@.a>=1e3)]", {"a": 1000}, True),
        ("$[-2]", [1], False),
        ("$[0,1,0]", [1], True),
        ("$[?(@.n > $.limit)]", {"n": 3, "limit": 2}, True),
        ("$.length()", [], True),
        ("$.length()", {"a": 1}, False),
        ("$.n.length()", {"n": 5}, False),
        ("$.length", {"length": 1}, True),
        ("$[?(@.s.length ( ) = 2)]", {"s": "日本"}, True),
        ("$[?(@.length() > 1)]", [1], False),
        ("$[*][?(@..length() = 3)]", [[[1, 2, 3]]], True),
        ("$.a.length()[0]", {"a": [1]}, False),
        ("$[?(@.a.length() = @.b.length())]", {"a": [1, 2], "b": "xy"}, True),
    ],
)
def test_results(text: str, value: Any, verdict: bool) -> None:
    assert holds(text, value) is verdict


@given(left=values, right=values)
def test_equality_is_that_of_python_for_json(left: Any, right: Any) -> None:
    assert holds("$[?(@.a=@.b)]", {"a": left, "b": right}) == (left == right)
    assert holds("$[?(@.a!=@.b)]", {"a": left, "b": right}) == (left != right)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("@.a", 0),
        ("status", 0),
        ("$.", 2),
        ("$[", 2),
        ("$[]", 2),
        ("$[?(@.a=1]", 9),
        ("$[?(@.a=)]", 8),
        ("$[?(@.a=1 = 2)]", 10),
        ("$[?(@.a === 1)]", 10),
        ("$.a b", 4),
        ("$.dry-run", 5),
        ("$.1a", 2),
        ("$.keys()", 6),
        ("$.length(1)", 9),
        ("$.length().size()", 15),
        ("$[1.5]", 2),
        ("$[" + "9" * 5000 + "]", 2),
        ("$[::0]", 4),
        ("$[::-1]", 4),
        ("$[?(@.a=" + "9" * 5000 + ")]", 8),
        ("$[?(@.a=1e999)]", 8),
        ("$[?(@.a=01)]", 8),
        ("$['a]", 2),
        (r"$['\x']", 2),
        ("$[?(@.a and)]", 11),
        ("$\0", 1),
    ],
)
def test_a_syntax_error_has_an_offset(text: str, offset: int) -> None:
    with pytest.raises(GuardError) as caught:
        parse_guard(text)
    assert caught.value.offset == offset
    assert f"character {offset + 1} " in str(caught.value)


@given(st.text(st.sampled_from("$@.*[]()?:,=!<>&|ab01-'\"\\ ") | st.characters(), max_size=40))
@example("$[?(" * 10)
@example("$['\\")
def test_any_text_is_a_guard_or_an_error(text: str) -> None:
    try:
        guard = parse_guard(text)
    except GuardError as error:
        assert 0 <= error.offset <= len(text)
    else:
        guard.holds({"a": [1, {"b": 0}]})


@pytest.mark.parametrize("part", ["(", "not (", "@[?(", "!(@[?"])
def test_a_deep_guard_is_refused(part: str) -> None:
    with pytest.raises(GuardError, match="levels"):
        parse_guard("$[?(" + part * 100_000)


@pytest.mark.slow
def test_a_long_guard_is_parsed() -> None:
    assert holds("$[?(" + "not " * 100_001 + "@.b)]", {"a": 1})
    assert holds("$[?(" + " or ".join(["@.b"] * 50_000 + ["@.a"]) + ")]", {"a": 1})


@pytest.mark.slow
def test_a_deep_input_is_evaluated() -> None:
    deep: Any = {"end": 1}
    other: Any = {"end": 1}
    for _ in range(100_000):
        deep, other = [deep], [other]
    assert holds("$..end", deep)
    assert holds("$[?(@.a=@.b)]", {"a": deep, "b": other})
    assert not holds("$[?(@.a!=@.b)]", {"a": deep, "b": other})
    assert not holds("$[?(@.a=@.b)]", {"a": deep, "b": [other]})


def test_an_evaluation_with_too_much_work_is_refused() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = [deep]
    guard = parse_guard("$..[?(@..x)]")
    assert not guard.holds([[], []], LookBudget(10_000))
    with pytest.raises(GuardError, match="10,000"):
        guard.holds(deep, LookBudget(10_000))


WIDE = [{"b": {}} for _ in range(300)]
"""Many values in which the members that the guards below look for do not stand."""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$..[" + ",".join(f'"a{number}"' for number in range(100)) + "]", WIDE),
        ("$[*][" + ",".join(map(str, range(100))) + "]", WIDE),
        ("$[*][?(" + " or ".join(f"@.a{number}" for number in range(100)) + ")]", WIDE),
        ("$[*][?($..a = $..b)]", [{"a": number, "b": -1 - number} for number in range(300)]),
        ("$[*][?($[*] = @)]", WIDE),
        ("$..[" + ",".join(["*"] * 100) + "]", [[]] * 300),
        ("$[" + ",".join(["0:"] * 100) + "]", [0] * 300),
    ],
)
def test_a_look_counts_whether_it_finds_something_or_not(text: str, value: Any) -> None:
    with pytest.raises(GuardError, match="its guard would take more than 1,000 looks at values"):
        parse_guard(text).holds(value, LookBudget(1000))


def test_what_a_guard_selects_is_counted_before_it_is_made() -> None:
    """A thousand copies of a list of a million values would take gigabytes."""
    with pytest.raises(GuardError, match="more than 2,000,000 looks"):
        parse_guard("$[" + ",".join(["0:"] * 1000) + "]").holds([0] * 1_000_000)


def test_guards_share_a_budget() -> None:
    guard, budget = parse_guard("$[*].x"), LookBudget(2500)
    for _ in range(2):
        guard.holds([0] * 500, budget)
    with pytest.raises(GuardError, match="more than 2,500 looks"):
        guard.holds([0] * 500, budget)


@pytest.mark.parametrize(
    "text",
    [
        "$.items[*].name[*]",
        "$" + "[*,*]" * 40,
        "$.items[0:,*,:][?(@.n > 1 and not @.x)]",
        "$.items[*][?($.items[*].x)]",
        "$.items[*][?($.items[*][?(@.n < 0)] or @.x)]",
        "$.items[*][?(@.n = $.items[*].x)]",
        "$.items[*][?($.items[*].n != @.n and @.tags[*] < $.items[*].n)][?(@.x)]",
        "$[?(@.items[*][?(@.tags[?(@[*][?(@ = $.items)])])])].x",
        "$[?($.items = @.items)].x",
        "$.items[*][?(@.tags.length() > $.items[*].tags.length())].x",
    ],
)
def test_without_descending_the_work_is_linear_in_the_input(text: str) -> None:
    assert _work(text, 2000) <= 2.1 * _work(text, 1000)


def _work(text: str, count: int) -> int:
    """Return the work of a guard on a list of this many items."""
    items = [{"n": number, "name": [str(number)], "tags": [[number], 0]} for number in range(count)]
    budget = LookBudget()
    parse_guard(text).holds({"items": items}, budget)
    return budget.used


def test_a_long_guard_on_a_long_input_is_refused() -> None:
    guard = parse_guard("$[*][?(" + " or ".join(["1=2"] * 1000) + ")]")
    assert not guard.holds([1], LookBudget(10_000))
    with pytest.raises(GuardError, match="10,000"):
        guard.holds([1] * 1000, LookBudget(10_000))


def test_the_message_of_a_long_guard_is_short() -> None:
    with pytest.raises(GuardError) as caught:
        parse_guard('$[?(@.a "' + "x" * 1_000_000 + '")]')
    assert len(str(caught.value)) < 200


def test_a_value_that_is_reached_in_many_ways_is_visited_once() -> None:
    value = {"a": {"a": [1, 2]}}
    assert not holds("$" + "[*,*,*,*]" * 60, value)
    assert holds("$" + "..*" * 3, json.loads("[" * 90 + "]" * 90))


def test_a_deep_input_and_many_selectors() -> None:
    assert holds("$" + "[*,*]" * 90, json.loads("[" * 91 + "]" * 91))


def test_an_absolute_path_in_a_comparison_is_evaluated_once() -> None:
    items = [{"n": number} for number in range(3000)]
    assert holds("$.items[*][?(@.n=$.items[*].n and @.n>=$.items[*].n)]", {"items": items})
