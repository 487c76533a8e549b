"""Decides which notices are sent, and which are only counted because one of their topic was sent just before.

What is counted is not lost: when the quiet time ends, the last one is sent, with the number of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lfr.notices.notice import Notice
from lfr.notices.rules import Rule

MAX_TOPICS: Final = 1_000
"""How many topics have a quiet time of their own. The others of a rule share one: whoever starts workflows
chooses the names of flows."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """The quiet time of a topic of a rule: until when, how many notices were counted in it, and the last of
    them."""

    until_ms: int
    count: int = 0
    last: Notice | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What is sent now, to whom; the topics of which the quiet time changes (None: it ends); and the rules of
    the notices that are only counted."""

    sent: Sequence[tuple[Notice, tuple[str, ...]]]
    changes: Mapping[str, Quiet | None]
    counted: Sequence[str] = ()


def topic_of(rule: Rule, notice: Notice) -> str:
    """Return the name under which the quiet time of a notice stands."""
    return f"{rule.name} {notice.topic}"


def admit(quiets: Mapping[str, Quiet], notices: Iterable[tuple[Rule, Notice]], now_ms: int) -> Admission:
    """Decide on new notices, in their order. `quiets` are the quiet times in force, by topic."""
    sent: list[tuple[Notice, tuple[str, ...]]] = []
    changes: dict[str, Quiet | None] = {}
    counted: list[str] = []
    for rule, notice in notices:
        topic = topic_of(rule, notice)
        if topic not in quiets and len(quiets.keys() | changes.keys()) >= MAX_TOPICS:
            topic = f"{rule.name} *"
        quiet = changes.get(topic) or quiets.get(topic)
        if quiet is not None and (quiet.until_ms > now_ms or quiet.last is not None):
            changes[topic] = Quiet(quiet.until_ms, quiet.count + 1, notice)
            counted.append(rule.name)
            continue
        sent.append((notice, rule.recipients))
        if rule.quiet_seconds:
            changes[topic] = Quiet(now_ms + round(1000 * rule.quiet_seconds))
    return Admission(sent, changes, counted)


def end_quiet_times(quiets: Mapping[str, Quiet], rules: Mapping[str, Rule], now_ms: int) -> Admission:
    """End the quiet times that are over: send the last notice that was counted, and begin another one. What
    was counted for a rule that is no more is dropped."""
    sent: list[tuple[Notice, tuple[str, ...]]] = []
    changes: dict[str, Quiet | None] = {}
    for topic, quiet in quiets.items():
        if quiet.until_ms > now_ms:
            continue
        rule = rules.get(topic.partition(" ")[0])
        changes[topic] = None
        if quiet.last is not None and rule is not None:
            sent.append((quiet.last.counting(quiet.count - 1), rule.recipients))
            if rule.quiet_seconds:
                changes[topic] = Quiet(now_ms + round(1000 * rule.quiet_seconds))
    return Admission(sent, changes)
