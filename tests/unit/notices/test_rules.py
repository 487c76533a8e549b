"""The rules of notices: what the setting may say, and which mistakes are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lfr.config.load import load_with_origins
from lfr.errors import BadSettings
from lfr.notices.rules import Rule, Trigger, parse_rules

TEXT = """
notify:
  rules:
    orders:
      when: [failed, late]
      flow: [order, refund]
      labels: {tenant: 7, team.name: red}
      after: 2h
      to: webhook:chat, mail:ops@example.com
      quiet: 10m
    away:
      when: role-gone
      to: command:page
"""


def test_rules_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "lfr.yaml"
    file.write_text(TEXT)
    settings = load_with_origins({}, config=str(file), environment={}).settings
    away, orders = parse_rules(settings.notify_rules)
    assert away == Rule("away", frozenset({Trigger.ROLE_GONE}), ("command:page",))
    assert orders == Rule(
        "orders",
        frozenset({Trigger.FAILED, Trigger.LATE}),
        ("webhook:chat", "mail:ops@example.com"),
        ("order", "refund"),
        {"tenant": "7", "team.name": "red"},
        after_seconds=7200,
        quiet_seconds=600,
    )
    assert orders.covers("order", {"tenant": "7", "team.name": "red", "x": "y"})
    assert not orders.covers("order", {"tenant": "8", "team.name": "red"})
    assert not orders.covers("other", {"tenant": "7", "team.name": "red"})
    assert away.covers_role("wait")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"orders": "failed"}, "no part of a rule"),
        ({"r.to": "command:c"}, "it needs when: failed, finished"),
        ({"r.when": "failed"}, "it needs to: webhook:NAME"),
        ({"r.when": "fialed", "r.to": "command:c"}, "did you mean failed?"),
        ({"r.when": "failed", "r.too": "command:c"}, "did you mean to?"),
        ({"r.when": "failed", "r.to": "https://chat.example/"}, "a recipient is webhook:NAME"),
        ({"r.when": "failed", "r.to": "mail:a b@c"}, "a recipient is webhook:NAME"),
        ({"r.when": "late", "r.to": "command:c"}, "late needs after"),
        (
            {"r.when": "late", "r.to": "command:c", "r.after": "soon"},
            "after is .*must be a number of seconds",
        ),
        (
            {"r.when": "failed", "r.to": "command:c", "r.after": "1h"},
            "after goes with late, role-gone, stuck",
        ),
        ({"r.when": "role-gone", "r.to": "command:c", "r.flow": "f"}, "flow goes with"),
        ({"r.when": "missed", "r.to": "command:c", "r.labels.a": "b"}, "labels goes with"),
        ({"r.when": "failed", "r.to": "command:c", "r.labels.1": "b"}, "can be no label"),
        ({"r.when": "failed", "r.to": "command:c", "r.quiet": "-1"}, "quiet is"),
    ],
)
def test_mistakes_are_named(texts: dict[str, str], message: str) -> None:
    with pytest.raises(BadSettings, match=r"^notify\.rules: ") as caught:
        parse_rules(texts)
    assert re.search(message, str(caught.value))


def test_the_number_of_rules_is_bounded() -> None:
    with pytest.raises(BadSettings, match="there are 101 rules, but at most 100 may be"):
        parse_rules({f"r{number}.when": "failed" for number in range(101)})
