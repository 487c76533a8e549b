"""Patterns of keys: whether a key is one of lfr's, and of which workflow. They go with `lfr.store.keys`."""

from __future__ import annotations

import re
from typing import Final

from lfr.store import keys

_FIRST_WORDS: Final = ("workflow", "workflows", "flow", "flows", "waits", "receipts", "littleflow")

_OWN: Final = re.compile(rf"(?:{'|'.join(_FIRST_WORDS)}):.*|.*{keys.BASE_URL.pattern}", re.DOTALL)

_OWN_WITH_A_PREFIX: Final = re.compile(
    r"""(?:[\w./-]+:)+(?:
        workflow:(?:[^:]*-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}.* | workflow:latch:.*
        | workflows:(?:all|run|ends|receipts|claims|pauses|pointers|un\w+|foreign|housekeeper)
        | workflows:(?:indexed|listed|served|stream|flows|searchable|tokens)
        | workflows:dead(?::dismissed)? | workflows:calls:.*
        | workflows:(?:process|processes|claims|group|receipts|stale|state|tasks|unclaimed|flow|label)(?::.*)?
        | workflows:totals:(?:flows|tasks|notices|traces) | workflows:(?:notices|traces)(?::.*)?
        | littleflow:config:env-prefix
        | flow:(?:text:[0-9a-f]{32} | [0-9a-f]{64})
        | flows:(?:refs|names) | flows:schedules(?::due|:problems)?
        | flows:(?:versions|schedule|outcomes):.* | receipts:logged
        | waits:(?:latches|countdowns|kinds|delays|delayed|held)
        | waits:(?:timers|deadlines|workflows)(?::standing)?
        | waits:(?:latch|holders|opened|fields|counts|place|kind|event|kept|free|taken)(?::.*)?
    )""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
"""A pattern for the keys of an installation with another `redis.prefix`. It is narrow: a user may have keys
of other forms, such as `order:flow:7`."""

OWN_SUFFIX: Final = re.compile(
    r":(?:steps|outputs|large|facts|removed|history|task-log|items:\d+|progress:\d+|output:\d+|latched"
    r"|(?:start|wait):\d+\.\d+(?:\.[0-9a-f]+)?)"
)
"""A pattern for what follows the id of a workflow or an item in its keys; the key of a record is the id."""

_OWNED: Final = re.compile(
    rf"(?P<workflow>workflow:.*?)(?:/\d+\.\d+(?:\.\d+)?)*(?:{OWN_SUFFIX.pattern})?", re.DOTALL
)


def is_own(key: str) -> bool:
    """Return whether lfr writes or reads a key: those in `keys`, those of littleflow_redis, and the base URLs
    of `request:` tasks. False for the stream, which may have any name: compare that as well."""
    return _OWN.fullmatch(key) is not None


def is_of_an_installation(key: str, prefix: str, stream: str) -> bool:
    """Return whether an installation of lfr uses a key, given with its prefix: the installation with this
    `redis.prefix` and this stream, one without a prefix, or one with any other prefix."""
    own = key.removeprefix(prefix)
    return stream in (own, key) or is_own(own) or is_own(key) or bool(_OWN_WITH_A_PREFIX.fullmatch(key))


def has_first_word(prefix: str) -> bool:
    """Return whether a prefix has a word in it with which keys begin: then a key with it could be the same as
    a key with another prefix."""
    return not set(_FIRST_WORDS).isdisjoint(prefix.split(":"))


def owner(key: str) -> str:
    """Return the id of the workflow to which a key belongs, or to an item of which; empty: to none."""
    match = _OWNED.fullmatch(key)
    return match["workflow"] if match and not key.startswith(keys.latch("")) else ""
