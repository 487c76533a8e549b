"""Quiet times: what is not sent at once is counted, and no notice is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lfr.notices.notice import Notice, make_notice, retry_seconds
from lfr.notices.quiet import MAX_TOPICS, Quiet, admit, end_quiet_times
from lfr.notices.rules import Rule, Trigger

RULE = Rule("r", frozenset({Trigger.FAILED}), ("command:c", "webhook:w"), quiet_seconds=10)


def notice(number: int, topic: str = "order") -> Notice:
    occasion, text = f"{number}", f"notice {number}"
    return make_notice(RULE, Trigger.FAILED, occasion, at_ms=number, topic=topic, text=text, facts={})


def test_the_first_is_sent_and_the_others_are_counted_until_the_quiet_time_ends() -> None:
    first = admit({}, [(RULE, notice(1)), (RULE, notice(2)), (RULE, notice(3, "refund"))], 1000)
    assert first.sent == [(notice(1), RULE.recipients), (notice(3, "refund"), RULE.recipients)]
    assert first.changes == {"r order": Quiet(11_000, 1, notice(2)), "r refund": Quiet(11_000)}
    assert first.counted == ["r"]
    quiets = {topic: quiet for topic, quiet in first.changes.items() if quiet}
    assert end_quiet_times(quiets, {"r": RULE}, 10_999).changes == {}
    second = end_quiet_times(quiets, {"r": RULE}, 11_000)
    assert second.sent == [(notice(2), RULE.recipients)]
    assert second.changes == {"r order": Quiet(21_000), "r refund": None}


def test_what_waits_for_the_end_of_a_quiet_time_is_not_overtaken() -> None:
    late = admit({"r order": Quiet(1000, 4, notice(1))}, [(RULE, notice(2))], 5000)
    assert late.sent == []
    assert late.changes == {"r order": Quiet(1000, 5, notice(2))}


def test_flows_beyond_the_first_thousand_share_a_quiet_time() -> None:
    """Whoever starts workflows chooses the names of flows: they must not fill what each pass reads."""
    count = MAX_TOPICS + 500
    first = admit({}, [(RULE, notice(number, f"flow{number}")) for number in range(count)], 1000)
    assert len(first.sent) == len(first.changes) == MAX_TOPICS + 1
    assert first.changes["r *"] == Quiet(11_000, 499, notice(count - 1, f"flow{count - 1}"))
    quiets = {topic: quiet for topic, quiet in first.changes.items() if quiet}
    second = admit(quiets, [(RULE, notice(1, "flow1")), (RULE, notice(2, "new"))], 2000)
    assert second.changes.keys() == {"r flow1", "r *"}


def test_a_rule_that_is_never_quiet() -> None:
    rule = Rule("r", frozenset({Trigger.FAILED}), ("command:c",), quiet_seconds=0)
    admission = admit({}, [(rule, notice(1)), (rule, notice(2))], 0)
    assert [each.text for each, _ in admission.sent] == ["notice 1", "notice 2"]
    assert admission.changes == {}


def test_what_was_counted_for_a_rule_that_is_no_more_is_dropped() -> None:
    admission = end_quiet_times({"old order": Quiet(0, 2, notice(1))}, {}, 1)
    assert admission.sent == []
    assert admission.changes == {"old order": None}


steps = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 15_000)), max_size=40)


@given(steps)
def test_every_notice_is_sent_or_counted_in_one_that_is_sent(occasions: list[tuple[str, int]]) -> None:
    quiets: dict[str, Quiet] = {}
    sent: list[Notice] = []
    now_ms = 0

    def apply(admission: object) -> None:
        sent.extend(each for each, _ in admission.sent)  # type: ignore[attr-defined]
        for topic, quiet in admission.changes.items():  # type: ignore[attr-defined]
            quiets.pop(topic, None)
            if quiet is not None:
                quiets[topic] = quiet

    for number, (topic, wait_ms) in enumerate(occasions):
        now_ms += wait_ms
        if number % 3 == 0:
            apply(end_quiet_times(quiets, {"r": RULE}, now_ms))
        apply(admit(quiets, [(RULE, notice(number, topic))], now_ms))
    while quiets:
        now_ms += 10_000
        apply(end_quiet_times(quiets, {"r": RULE}, now_ms))
    assert sum(1 + each.more for each in sent) == len(occasions)
    assert len({each.id for each in sent}) == len(sent)


def test_the_same_occasion_has_the_same_id_and_another_has_another() -> None:
    assert notice(1).id == notice(1, "refund").id != notice(2).id
    assert Notice.from_dict(notice(1).to_dict()) == notice(1)
    assert notice(1).counting(2).text == "notice 1 (2 others before it)"
    assert [retry_seconds(failures) for failures in (1, 2, 3, 50)] == [1, 2, 4, 300]
