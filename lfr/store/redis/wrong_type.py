"""The error of Redis for a key of another type, with the key, which Redis does not name."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from lfr.errors import WrongType
from lfr.store import key_patterns
from lfr.store.redis.key_prefix import command_keys


class WrongTypeReply(WrongType, redis.ResponseError):
    """The reply WRONGTYPE to a command of lfr: it stands among replies, or is raised, as others do."""


def with_key(error: redis.RedisError, command: Sequence[str | bytes | int | float]) -> redis.RedisError:
    """Return the error that a command has met, with its key if it says that this has another type."""
    if not str(error).startswith("WRONGTYPE"):
        return error
    names = [
        key if isinstance(key, str) else key.decode(errors="backslashreplace")
        for key in command_keys(command)
    ]
    workflow = key_patterns.owner(names[0])
    hint = (
        "rename or delete it"
        if not workflow
        else f"lfr delete {workflow} removes that workflow with all its keys"
    )
    message = (
        f"the key {', '.join(names)} has data of another type than lfr's: another program has written it"
    )
    return WrongTypeReply(message, names[0], hint=hint)
