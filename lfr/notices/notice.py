"""A notice: what a rule has found, as an id, a sentence, and facts for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final, Self

from lfr.notices.rules import Rule, Trigger
from lfr.values.json import Json, encode_json
from lfr.values.printable import printable
from lfr.values.texts import cut

_FIRST_RETRY_SECONDS: Final = 1.0
_LONGEST_RETRY_SECONDS: Final = 300.0
"""The pauses between tries to deliver a notice: the first and the longest; each is twice the one before."""

_MAX_TEXT: Final = 1_000
"""Characters of the sentence."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice. Whoever gets one twice knows it by its id.

    topic    what `quiet` is counted by: the flow, the role, the schedule; empty: only the rule
    text     one sentence
    facts    by name, what programs want to know: workflow, flow, labels, state, reason, step, role, hint ...
    more     how many others of the same topic were only counted since the notice before
    is_test  whether somebody has made it to test the rule
    """

    id: str
    rule: str
    trigger: Trigger
    at_ms: int
    topic: str
    text: str
    facts: Mapping[str, Json] = field(default_factory=dict)
    more: int = 0
    is_test: bool = False

    def to_dict(self) -> dict[str, Json]:
        """Return it as plain data, as Redis keeps it."""
        return {
            "id": self.id,
            "rule": self.rule,
            "when": self.trigger.value,
            "at_ms": self.at_ms,
            "topic": self.topic,
            "text": self.text,
            "facts": dict(self.facts),
            "more": self.more,
            "test": self.is_test,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the notice that `to_dict` has described."""
        return cls(
            data["id"],
            data["rule"],
            Trigger(data["when"]),
            data["at_ms"],
            data["topic"],
            data["text"],
            data["facts"],
            data["more"],
            data["test"],
        )

    def counting(self, more: int) -> Self:
        """Return it as the last of several, of which `more` were only counted before it."""
        others = f"{more} other{'' if more == 1 else 's'} before it" if more else ""
        return replace(self, more=more, text=f"{self.text} ({others})" if others else self.text)


def make_notice(
    rule: Rule,
    trigger: Trigger,
    occasion: str,
    *,
    at_ms: int,
    topic: str,
    text: str,
    facts: Mapping[str, Json],
) -> Notice:
    """Return the notice of a rule about an occasion: a text that no other occasion of this trigger has, such
    as the id of an event. The same occasion has the same id, whoever makes the notice."""
    digest = sha256(encode_json([trigger.value, occasion]).encode()).hexdigest()[:24]
    return Notice(f"{rule.name}:{digest}", rule.name, trigger, at_ms, topic, shorten(text), facts)


def shorten(text: str) -> str:
    """Return a text in one line, cut at 1000 characters."""
    return cut(printable(text), _MAX_TEXT)


def message_body(notice: Notice, at: str) -> dict[str, Json]:
    """Return what a webhook and a command get: id, rule, when, at (ISO 8601), text, test, more, and the
    facts."""
    head: dict[str, Json] = {"id": notice.id, "rule": notice.rule, "when": notice.trigger.value, "at": at}
    return {**head, "text": notice.text, "test": notice.is_test, "more": notice.more, **notice.facts}


def retry_seconds(failures: int) -> float:
    """Return how long to wait after so many failed tries in a row."""
    return min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20))
