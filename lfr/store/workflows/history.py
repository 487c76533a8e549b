"""A workflow's history: a stream with one entry for each transition, which tells the facts of it.

An entry has the fields `at` (milliseconds since the epoch), `facts` and, if a step failed, `reason`.
The facts are words with a blank between them: a sign, the step's index, `/ITEM` if it is about one item
of it, and `.ATTEMPT` where it is not the first. `+5 -5 =6 ~7 !8.2 +9/0 finished` says: step 5 started,
step 5 ended, step 6 started and ended at once, step 7 was skipped, step 8 failed at its second attempt,
the first item of step 9 started, the workflow has finished. `^5.2`: attempt 2 of step 5 has failed, and
another is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lfr.engine import Fact, FactKind
from lfr.engine.transition import Transition
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, Reply
from lfr.store.stream.entries import parse_pairs

_SIGNS = {
    FactKind.STARTED: "+",
    FactKind.ENDED: "-",
    FactKind.PASSED: "=",
    FactKind.SKIPPED: "~",
    FactKind.FAILED: "!",
    FactKind.RETRIED: "^",
}
_WORDS = {sign: what for what, sign in _SIGNS.items()}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A transition as the history tells it.

    id      of the entry, to go on reading behind it
    at_ms   when, in milliseconds since the epoch
    reason  why a step failed, or empty
    """

    id: str
    at_ms: int
    facts: tuple[Fact, ...]
    reason: str


def history_command(workflow: str, at_ms: int, transition: Transition) -> Command:
    """The command that adds a transition to the history. (XADD)"""
    told = ("XADD", keys.history(workflow), "*", "at", at_ms, "facts", format_facts(transition.facts))
    return (*told, "reason", transition.reason) if transition.reason else told


def read_history(
    connection: Connection, workflow: str, *, after: str = "0-0", count: int = 1000, block_ms: int = 0
) -> list[HistoryEntry]:
    """Up to `count` moments behind the one with id `after`, oldest first. (XREAD)

    If there is none yet, waits for one for up to `block_ms` milliseconds; 0: does not wait.
    """
    block = ("BLOCK", block_ms) if block_ms else ()
    command = ("XREAD", "COUNT", count, *block, "STREAMS", keys.history(workflow), after)
    reply = connection.execute([command])[0]
    return [_moment(entry) for entry in reply[0][1]] if reply else []


def read_whole_history(connection: Connection, workflow: str, *, since_ms: int = 0) -> list[HistoryEntry]:
    """All moments of a workflow that are later than `since_ms` (since the epoch), oldest first; no others are
    read, for an entry's id is no earlier than what it tells."""
    moments: list[HistoryEntry] = []
    page = read_history(connection, workflow, after=f"{since_ms}-0")
    while page:
        moments += page
        page = read_history(connection, workflow, after=page[-1].id)
    return [moment for moment in moments if moment.at_ms > since_ms]


def format_facts(facts: Iterable[Fact]) -> str:
    """Facts as the history tells them."""
    return " ".join(map(_word, facts))


def _word(fact: Fact) -> str:
    if fact.index is None:
        return fact.kind.value
    item = "" if fact.item is None else f"/{fact.item}"
    attempt = f".{fact.attempt}" if fact.attempt > 1 else ""
    return f"{_SIGNS[fact.kind]}{fact.index}{item}{attempt}"


def _fact(word: str) -> Fact:
    what = _WORDS.get(word[0])
    if what is None:
        return Fact(None, FactKind(word))
    place, _, attempt = word[1:].partition(".")
    index, _, item = place.partition("/")
    return Fact(int(index), what, int(attempt or 1), int(item) if item else None)


def _moment(entry: Sequence[Reply]) -> HistoryEntry:
    id, flat = entry
    fields = parse_pairs(flat)
    return HistoryEntry(
        id=id.decode(),
        at_ms=int(fields[b"at"]),
        facts=tuple(map(_fact, fields[b"facts"].decode().split())),
        reason=fields.get(b"reason", b"").decode(errors="replace"),
    )
