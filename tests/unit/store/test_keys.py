"""Which keys are of an installation of lfr, with and without a prefix."""

from __future__ import annotations

import pytest

from lfr.store import key_patterns, keys

ID = "workflow:invoice-0b0e7c26-94f6-4d3c-9b8c-0d4e5f6a7b8c"
OWN = [
    *(value for name, value in vars(keys).items() if name[:1].isupper() and isinstance(value, str)),
    *(ID, ID.replace("invoice-", ""), f"{ID}/3.0", f"{ID}:steps", keys.latch("any name")),
    *(
        keys.wait(ID, 1, 2, "0123abcd"),
        keys.wait(ID, 1, 2, ""),
        keys.items(ID, 1),
        keys.flow("0f" * 32),
        keys.flow_versions("order"),
        keys.flow(keys.flow_text_name("0f" * 16)),
    ),
    *(keys.queue("g"), keys.state("FAILED"), keys.unclaimed("a:b"), keys.stale_mark("g"), keys.process("p")),
    *(
        keys.group_life("g"),
        keys.latch_waiters("n"),
        keys.latch_holders("n"),
        keys.opened_countdowns("t"),
        keys.field_sets("k"),
    ),
    *(
        keys.field_set_counts("k"),
        keys.event_waits("k"),
        keys.kind_waits("k"),
        keys.buffered_event("1-0"),
        keys.buffered_events("k"),
    ),
    *(keys.unused_events("k"), keys.used_events("k"), "env:global:base_url", "workflows:run"),
]


@pytest.mark.parametrize("key", OWN)
@pytest.mark.parametrize("prefix", ["", "staging:", "team/a:b:"])
def test_a_key_of_any_installation(key: str, prefix: str) -> None:
    assert key_patterns.is_of_an_installation(f"{prefix}{key}", "staging:", "workflows:run")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("events", True),
        ("staging:events", True),
        ("staging:workflow:a", True),
        ("workflow:a", True),
        ("other:workflow:a", False),  # a user's own
        ("order:flow:7", False),
        ("other:events", False),
        ("staging:order:7", False),
        ("order:7", False),
        ("my-waits:x", False),
    ],
)
def test_a_key_of_a_user(key: str, expected: bool) -> None:
    assert key_patterns.is_of_an_installation(key, "staging:", "events") is expected
