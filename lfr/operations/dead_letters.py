"""Lists dead letters, puts their events back on the stream, and dismisses them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, Final

from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.events import truncate_fields
from lfr.operations.failures.reason_pattern import reason_pattern
from lfr.operations.operator_actions import note_action
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.stream.dead_letters import (
    DeadLetter,
    dismiss_commands,
    put_back_commands,
    read_dead_letters,
    read_letters,
    watch_letters,
)
from lfr.values.json import Json
from lfr.values.times import format_timestamp

MAX_NAMED: Final = 500
"""How many dead letters may be named at once."""

_PAGE: Final = 50
"""How many are handled in one transaction."""

_HANDLED: Final = "there is no such dead letter: somebody has handled it, or it was too old"

_ENTRY_ID: Final = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)


class DeadLetterAction(StrEnum):
    """What can be done with a dead letter: append its event to the stream again, or give it up."""

    RETRY = "retry"
    DISMISS = "dismiss"


def list_dead_letters(
    store: Store, *, size: int = 50, pattern: str | None = None, dismissed: bool = False
) -> list[dict[str, Any]]:
    """List up to `size` events that could not be understood, newest first; with `dismissed` the latest that
    somebody has dismissed. Only those with this reason, whatever numbers and ids stand in it, or None: all.

    Each as plain data: id, by which it is handled; entry_id, of the entry of which it is a copy; at (when it
    became a dead letter), reason, pattern (of the reason); fields: the raw texts by name, each cut to 2000
    characters; dismissed: None, or at, by and reason.
    """
    with store.connect() as connection:
        letters = [*islice(_select(connection, pattern, dismissed), size)]
    return [{**_describe(letter), "fields": truncate_fields(letter.fields)} for letter in letters]


def describe_dead_letter(store: Store, id: str, *, dismissed: bool = False) -> dict[str, Any]:
    """Return one as `list_dead_letters` does, with its fields whole. Raises BadInput for the id, NotFound."""
    with store.connect() as connection:
        [letter] = read_letters(connection, [_parse_id(id)], are_dismissed=dismissed)
    if letter is None:
        raise _missing(id)
    return {**_describe(letter), "fields": {**letter.fields}}


def handle_dead_letters(
    store: Store,
    action: str,
    ids: Sequence[str] | None = None,
    *,
    pattern: str | None = None,
    dismissed: bool = False,
) -> dict[str, Any]:
    """Retry dead letters, or dismiss them: those with these ids, or those with this reason, whatever numbers
    and ids stand in it, or without both all that there are now. With `dismissed`, those that were dismissed.

    Each is handled once, whoever else tries: its event goes back, as it was, in the transaction that removes
    it. Return changed, how many; problems, by id, why not. Raises BadInput; NotFound if none of ids exists.
    """
    if action not in tuple(DeadLetterAction):
        raise BadInput(f"there is no action {action[:40]}", hint="one of " + ", ".join(DeadLetterAction))
    if ids is not None and pattern is not None:
        raise BadInput("ids and a reason select dead letters: name one of both")
    if ids is not None and not 1 <= len(ids) <= MAX_NAMED:
        raise BadInput(f"name from 1 to {MAX_NAMED} dead letters")
    if dismissed and action == DeadLetterAction.DISMISS:
        raise BadInput("what is dismissed cannot be dismissed again", hint="retry puts it back")
    problems: dict[str, str] = {}
    changed = 0
    with store.connect() as connection:
        if ids is None:
            chosen = [letter.id for letter in _select(connection, pattern, dismissed)][::-1]
        else:
            chosen = [*dict.fromkeys(map(_parse_id, ids))]
        for start in range(0, len(chosen), _PAGE):
            attempt = partial(
                _attempt,
                store,
                connection,
                DeadLetterAction(action),
                chosen[start : start + _PAGE],
                dismissed,
            )
            page_changed, page_problems = retry_until_committed(connection, attempt)
            changed += page_changed
            problems |= page_problems
    if ids is not None and not changed and len(chosen) == 1:
        [problem] = problems.values()
        raise _missing(chosen[0]) if problem == _HANDLED else Conflict(problem)
    return {"changed": changed, "problems": problems}


def _attempt(
    store: Store, connection: Connection, action: DeadLetterAction, ids: Sequence[str], dismissed: bool
) -> tuple[list[Command], tuple[int, dict[str, str]]]:
    letters = watch_letters(connection, ids, are_dismissed=dismissed)
    commands: list[Command] = []
    changed: list[Json] = []
    problems: dict[str, str] = {}
    for id, letter in zip(ids, letters, strict=True):
        if letter is None:
            problems[id] = _HANDLED
        elif action is DeadLetterAction.DISMISS:
            commands += dismiss_commands(letter, format_timestamp(time.time()), store.actor)
            changed.append(id)
        elif not letter.is_exact or not letter.fields:
            problems[id] = "its bytes are not UTF-8, so no copy of it is exact: dismiss it"
        else:
            commands += put_back_commands(letter, store.stream, is_dismissed=dismissed)
            changed.append(id)
    if commands:
        commands += note_action(store, f"{action}-dead-letters", dead_letters=changed)
    return commands, (len(changed), problems)


def _select(connection: Connection, pattern: str | None, dismissed: bool) -> Iterator[DeadLetter]:
    """Yield the dead letters with this reason, newest first."""
    same = None if pattern is None else reason_pattern(pattern)
    before = "+"
    while letters := read_dead_letters(connection, before=before, count=_PAGE, are_dismissed=dismissed):
        yield from (letter for letter in letters if same in (None, reason_pattern(letter.reason)))
        before = letters[-1].id


def _describe(letter: DeadLetter) -> dict[str, Any]:
    actor = letter.actor
    dismissal = {
        "at": letter.dismissed_at,
        "by": actor.name if actor else None,
        "reason": (actor.reason if actor else "") or None,
    }
    return {
        "id": letter.id,
        "entry_id": letter.entry_id,
        "at": letter.at,
        "reason": letter.reason,
        "pattern": reason_pattern(letter.reason),
        "dismissed": dismissal if letter.dismissed_at else None,
    }


def _missing(id: str) -> NotFound:
    return NotFound(f"there is no dead letter {id}", hint="somebody has handled it, or it was too old")


def _parse_id(id: str) -> str:
    if not _ENTRY_ID.fullmatch(id):
        raise BadInput(f"{id[:60]!r} is no id of a dead letter", hint="such as 1795996800000-0")
    return id
