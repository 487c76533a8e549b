"""The rules of `notify.rules`: what gives a notice, of which flows and labels, to whom.

    orders:
      when: failed
      flow: order, refund
      labels: {tenant: 7}
      to: webhook:chat, mail:ops@example.com
      quiet: 10m

The setting has all of it as texts by name: `orders.when`, `orders.labels.tenant`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from lfr.errors import BadSettings
from lfr.labels import is_label_name, read_label_value
from lfr.values.checks import Check, abbreviate, duration, suggestion
from lfr.values.json import Json

SETTING: Final = "notify.rules"

_NAME: Final = re.compile(r"[A-Za-z][\w-]{0,62}", re.ASCII)
_RECIPIENT: Final = re.compile(
    r"(?:webhook|command):[\w.-]{1,63}|mail:[!-?A-~]{1,250}@[!-?A-~]{1,250}", re.ASCII
)

_QUIET_SECONDS: Final = 300.0
_ROLE_GONE_SECONDS: Final = 60.0
"""The defaults of `quiet`, and of `after` for a role."""

MAX_RULES: Final = 100


class Trigger(StrEnum):
    """What a rule gives notice of: an event of a workflow, or a condition that only time shows."""

    FAILED = "failed"
    FINISHED = "finished"
    TERMINATED = "terminated"
    LATE = "late"
    STUCK = "stuck"
    MISSED = "missed"
    DEAD_LETTER = "dead-letter"
    ROLE_GONE = "role-gone"


_OF_WORKFLOWS: Final = frozenset(
    {Trigger.FAILED, Trigger.FINISHED, Trigger.TERMINATED, Trigger.LATE, Trigger.STUCK}
)
_USES: Final[Mapping[str, frozenset[Trigger]]] = {
    "flow": _OF_WORKFLOWS | {Trigger.MISSED},
    "labels": _OF_WORKFLOWS,
    "role": frozenset({Trigger.ROLE_GONE}),
    "after": frozenset({Trigger.LATE, Trigger.STUCK, Trigger.ROLE_GONE}),
}
"""The conditions that a rule may have, and what each of them goes with."""

_NEEDS_AFTER: Final = frozenset({Trigger.LATE, Trigger.STUCK})
_KEYS: Final = ("when", "to", "quiet", *_USES)

_AFTER: Final = duration(1.0)
_QUIET: Final = duration()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. Without `flows`, `labels` and `roles` it is for all of them.

    recipients     each `webhook:NAME`, `mail:ADDRESS` or `command:NAME`
    after_seconds  how long a workflow may run, a step may stand, a role may be away
    quiet_seconds  after a notice, how long notices of the same flow (role, schedule) are only counted
    """

    name: str
    triggers: frozenset[Trigger]
    recipients: tuple[str, ...]
    flows: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    after_seconds: float = _ROLE_GONE_SECONDS
    quiet_seconds: float = _QUIET_SECONDS

    def covers_flow(self, flow: str) -> bool:
        """Return whether the rule is for workflows of this flow."""
        return not self.flows or flow in self.flows

    def covers(self, flow: str, labels: Mapping[str, str]) -> bool:
        """Return whether the rule is for a workflow of this flow with these labels."""
        has_labels = all(labels.get(name) == value for name, value in self.labels.items())
        return self.covers_flow(flow) and has_labels

    def covers_role(self, role: str) -> bool:
        """Return whether the rule is for this role."""
        return not self.roles or role in self.roles

    def to_dict(self) -> dict[str, Json]:
        """Return it as plain data: name, when, to, flow, labels, role (lists, or texts by name), after and
        quiet in seconds."""
        return {
            "name": self.name,
            "when": sorted(self.triggers),
            "to": list(self.recipients),
            "flow": list(self.flows),
            "labels": dict(self.labels),
            "role": list(self.roles),
            "after": self.after_seconds if self.triggers & _USES["after"] else None,
            "quiet": self.quiet_seconds,
        }


def parse_rules(texts: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return the rules that the texts of the setting describe, by name. Raises BadSettings that names the
    rule and the key."""
    by_rule: dict[str, dict[str, str]] = {}
    for path, text in texts.items():
        name, dot, key = path.partition(".")
        if not dot or not _NAME.fullmatch(name):
            words = "a rule has a name (a letter, then letters, digits, _ and -) and below it when and to"
            raise BadSettings(f"{abbreviate(path)} is no part of a rule: {words}", place=SETTING)
        by_rule.setdefault(name, {})[key] = text
    if len(by_rule) > MAX_RULES:
        raise BadSettings(f"there are {len(by_rule)} rules, but at most {MAX_RULES} may be", place=SETTING)
    return tuple(_parse_rule(name, by_rule[name]) for name in sorted(by_rule))


def _parse_rule(name: str, texts: Mapping[str, str]) -> Rule:
    labels = {key.removeprefix("labels."): text for key, text in texts.items() if key.startswith("labels.")}
    for key in texts.keys() - set(_KEYS):
        if not key.startswith("labels."):
            raise _bad(name, f"a rule has no {abbreviate(key)}", suggestion(key, _KEYS))
    triggers = frozenset(map(Trigger, _choices(name, "when", texts.get("when", ""), tuple(Trigger))))
    recipients = _items(texts.get("to", ""))
    for each in recipients:
        if not _RECIPIENT.fullmatch(each):
            words = "webhook:NAME, mail:ADDRESS or command:NAME"
            raise _bad(name, f"to has {abbreviate(each)}, but a recipient is {words}")
    if not recipients:
        raise _bad(name, "it needs to: webhook:NAME, mail:ADDRESS or command:NAME")
    for label, value in labels.items():
        if not is_label_name(label) or read_label_value(value) is None:
            raise _bad(name, f"{abbreviate(f'{label}={value}')} can be no label")
    for key, goes_with in _USES.items():
        is_used = bool(labels) if key == "labels" else key in texts
        if is_used and not triggers & goes_with:
            raise _bad(name, f"{key} goes with {', '.join(sorted(goes_with))} only")
    if "after" not in texts and triggers & _NEEDS_AFTER:
        raise _bad(name, f"{', '.join(sorted(triggers & _NEEDS_AFTER))} needs after, such as after: 1h")
    return Rule(
        name,
        triggers,
        recipients,
        _items(texts.get("flow", "")),
        labels,
        _items(texts.get("role", "")),
        _read(name, "after", texts, _AFTER, _ROLE_GONE_SECONDS),
        _read(name, "quiet", texts, _QUIET, _QUIET_SECONDS),
    )


def _choices(name: str, key: str, text: str, choices: Iterable[str]) -> tuple[str, ...]:
    choices = tuple(choices)
    words = _items(text)
    if not words:
        raise _bad(name, f"it needs {key}: {', '.join(choices)}")
    for word in words:
        if word not in choices:
            hint = suggestion(word, choices) or f"one of {', '.join(choices)}"
            raise _bad(name, f"{key} has {abbreviate(word)}", hint)
    return words


def _items(text: str) -> tuple[str, ...]:
    """Return the items of a list with commas, each once."""
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def _read(name: str, key: str, texts: Mapping[str, str], check: Check, default: float) -> float:
    if key not in texts:
        return default
    seconds = check.read(texts[key])
    if seconds is None:
        raise _bad(name, f"{key} is {abbreviate(texts[key])}, but must be {check.words}")
    return float(seconds)


def _bad(rule: str, message: str, hint: str = "") -> BadSettings:
    return BadSettings(f"the rule {rule}: {message}", place=SETTING, hint=hint)
