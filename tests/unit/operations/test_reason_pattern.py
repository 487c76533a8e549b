"""The pattern of a reason: what differs between failures of one cause goes, what tells causes apart stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr.operations.failures.reason_pattern import MAX_REASON, reason_pattern


@pytest.mark.parametrize(
    ("reason", "pattern"),
    [
        ("order 4711: 1,000 of 3.14 at -3 and 1e-5", "order <n>: <n> of <n> at <n> and <n>"),
        ("took 10ms, not 1h30m", "took <n>, not <n>"),
        ("no 550e8400-e29b-41d4-a716-446655440000 here", "no <n> here"),
        ("worker17 lost a41f, 5f0c12 and item_8", "worker<n> lost <n>, <n> and item_<n>"),
        ("k8s and i18n stay", "k8s and i18n stay"),
        ("10.0.0.7:443, [::1]:80, fe80::1, 0x7ffe, a.b@example.org", ", ".join(["<address>"] * 5)),
        ("std::vector of https://api.example/orders/17", "std::vector of https://api.example/orders/<n>"),
        ("at 2026-01-31T18:00:00.5Z, 2026-01-31 and 18:00:07", "at <time>, <time> and <time>"),
        ('KeyError: \'user\'; "a \\" b" `c`', "KeyError: <text>; <text> <text>"),
        ("can't read the users' list 'as", "can't read the users' list <text>"),
        (
            "there is no workflow workflow:nightly",
            "there is no workflow workflow:<n>",
        ),
        (
            "workflow:order-5f0c/2.0.1 of the flow pay failed: step 3, card: no",
            "workflow:<n> of the flow pay failed: step <n>, card: no",
        ),
        ("  two\n lines\t", "two lines"),
        ("", ""),
    ],
)
def test_what_differs_becomes_a_placeholder(reason: str, pattern: str) -> None:
    assert reason_pattern(reason) == pattern


@pytest.mark.parametrize(
    "reason",
    ["HTTP 503", "HTTP/1.1 503 of upstream", "status code is 404", "exit status 137", "[Errno 111] refused"],
)
def test_a_number_that_names_a_cause_stays(reason: str) -> None:
    assert reason_pattern(reason) == reason


WORDS = st.sampled_from(
    [
        *"'\"`<>:.-/\\ [](){}=_@,",
        *("<n>", "<text>", "12", "4f", "HTTP ", "code", "workflow:", "a", "é", "٣", "10.0.0.1", "0x1"),
        *("::", "2026-01-31", "10:20:30", "-1", "e5", "word ", "deadbeef01", "\n"),
    ]
)
REASONS = st.one_of(st.text(max_size=400), st.lists(WORDS, max_size=120).map("".join))


@given(REASONS)
@settings(max_examples=2000)
def test_a_pattern_is_bounded_and_the_pattern_of_itself(reason: str) -> None:
    pattern = reason_pattern(reason)
    assert len(pattern) <= MAX_REASON
    assert reason_pattern(pattern) == pattern


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.uuids(), st.uuids())
def test_reasons_that_differ_in_numbers_and_ids_have_one_pattern(
    a: int, b: int, c: object, d: object
) -> None:
    assert reason_pattern(f"order {a} ({c}): {b / 7} left") == reason_pattern(
        f"order {b} ({d}): {a / 7} left"
    )


@given(REASONS)
def test_what_is_cut_off_does_not_count(reason: str) -> None:
    assert reason_pattern(reason) == reason_pattern(reason[:MAX_REASON])
