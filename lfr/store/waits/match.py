"""Completes event waits: watches and loads waits and events, lets `engine.waits` decide, writes the result.

A wait may start while its event arrives. So each side watches what the other writes: who starts a wait, the
buffered events of its match key; who delivers an event, the waits of its match keys. Redis then refuses one
of the two transactions, and its next try sees what the other has written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from lfr import event_fields, events
from lfr.engine.waits import (
    Matches,
    StartsRequest,
    UserEvent,
    WorkflowStarts,
    deliver_events,
    pattern_of,
    sort_candidates,
    start_waits,
)
from lfr.item_ids import root_workflow
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection, read_time_ms
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import ReadAgain, commit_together_or_singly
from lfr.store.stream.entries import ConsumerId, Entry, acknowledge_command, append_command, parse_entries
from lfr.store.waits.event_buffer import (
    add_field_set,
    buffer_event_commands,
    correct_index,
    watch_buffered_events,
    watch_field_sets,
)
from lfr.store.waits.registry import add_wait_commands, end_task_commands, remove_wait_commands, watch_waits
from lfr.store.waits.start import (
    StartTasks,
    ended_at_once_commands,
    processed_commands,
    watch_start_tasks,
)
from lfr.tasks.match_keys import FieldSet, match_keys
from lfr.tasks.wait_spec import Wait
from lfr.values.json import Json, encode_json
from lfr.values.stream_id import StreamId
from lfr.values.times import format_timestamp

BATCH_PAGE_SIZE = 8
"""How many waits of a match key are loaded for each of several events that share a transaction."""

SINGLE_PAGE_SIZE = 500
"""How many waits of a match key are loaded for an event that has a transaction of its own."""

MAX_FIELD_SETS = 200
"""By how many field sets the waits of one kind may match: each event of it is compared by all of them."""

_EXTRA_EVENTS = 100
"""How many buffered events of a match key are loaded besides one for each wait."""


def start_event_waits(
    connection: Connection, consumer: ConsumerId, waits: Sequence[Wait], *, retain_ms: int
) -> None:
    """Complete each of these new waits by a buffered event, or store it until an event arrives. Fails the
    step of one that would add a field set to a kind that has MAX_FIELD_SETS of them.

    Ignores waits whose attempt is over. Appends receipts for all their start-tasks and acknowledges them.
    `retain_ms` is how long events are buffered.

    Watched: the keys of the waits, the field sets of their kinds, the indexes of their match keys, and the
    buffered events found there.
    """

    def attempt(waits: Sequence[Wait]) -> list[Command]:
        tasks = watch_start_tasks(connection, consumer, waits)
        to_start = [wait.begun(tasks.now_ms) for wait in waits if wait.entry_id in tasks.to_start]
        field_sets = watch_field_sets(connection, (pattern_of(wait).kind for wait in to_start))
        to_start, refused = _split_by_field_sets(to_start, field_sets)
        _add_missing_field_sets(connection, to_start, field_sets, retain_ms, tasks.now_ms)
        events_by_key = _watch_events_of(connection, to_start, tasks)
        starts = WorkflowStarts(dict(tasks.started_ms), now_ms=tasks.now_ms)
        matches = _decide(connection, consumer.stream, starts, partial(start_waits, to_start, events_by_key))
        commands = [command for wait in matches.waiting for command in add_wait_commands(wait, tasks.now_ms)]
        commands += _match_commands(consumer.stream, matches, field_sets, retain_ms, tasks.now_ms)
        commands += end_task_commands(list(map(_refusal_values, refused)), tasks.now_ms)
        ended = [*(match.wait for match in matches.matches), *refused]
        commands += ended_at_once_commands(wait.task.attempt_id for wait in ended)
        return commands + processed_commands(consumer, waits, tasks.now_ms)

    commit_together_or_singly(connection, waits, attempt)


def _split_by_field_sets(
    waits: Sequence[Wait], field_sets: Mapping[str, Collection[FieldSet]]
) -> tuple[list[Wait], list[Wait]]:
    """Return the waits that may start, and those whose field set is one too many for their kind. `field_sets`
    are the present ones, by kind."""
    accepted: list[Wait] = []
    refused: list[Wait] = []
    sets_by_kind = {kind: set(present) for kind, present in field_sets.items()}
    for wait in waits:
        pattern = pattern_of(wait)
        present = sets_by_kind[pattern.kind]
        if pattern.field_set in present or len(present) < MAX_FIELD_SETS:
            present.add(pattern.field_set)
            accepted.append(wait)
        else:
            refused.append(wait)
    return accepted, refused


def _refusal_values(wait: Wait) -> dict[str, Json]:
    """Return the values of the end-task that fails the step of a refused wait."""
    kind = pattern_of(wait).kind[:80]
    reason = (
        f"{wait.task.base}: the waits for events {kind} match by {MAX_FIELD_SETS} different sets of fields "
        "already, and an event is compared by each of them; match by the same fields"
    )
    return events.end_task_values(wait.task, failure=reason, is_final=True)


def _add_missing_field_sets(
    connection: Connection,
    waits: Sequence[Wait],
    field_sets: Mapping[str, Mapping[FieldSet, bool]],
    retain_ms: int,
    now_ms: int,
) -> None:
    """Add the field sets by which events are not indexed yet. Raises ReadAgain if there are any."""
    used = {(pattern_of(wait).kind, pattern_of(wait).field_set) for wait in waits}
    missing = [(kind, field_set) for kind, field_set in used if not field_sets[kind].get(field_set)]
    if missing:
        connection.unwatch()
        for kind, field_set in missing:
            add_field_set(connection, kind, field_set, retain_ms, now_ms)
        raise ReadAgain


def _watch_events_of(
    connection: Connection, waits: Sequence[Wait], tasks: StartTasks
) -> dict[str, list[UserEvent]]:
    """Watch and read the buffered events that may complete these waits, by match key. (WATCH, GET)

    Raises ReadAgain if too many events match several waits, or after an index was corrected.
    """
    pages = _watch_event_ids(connection, waits, tasks)
    ids = {id for unused_ids, used_ids in pages.values() for id in (*unused_ids, *used_ids)}
    buffered = watch_buffered_events(connection, list(ids))
    for key, (unused_ids, _) in pages.items():
        wrong_ids = [id for id in unused_ids if id not in buffered or buffered[id].is_used]
        if wrong_ids:
            correct_index(connection, key, wrong_ids, buffered)
            raise ReadAgain
    return {
        key: [buffered[id] for id in (*unused_ids, *used_ids) if id in buffered]
        for key, (unused_ids, used_ids) in pages.items()
    }


def _watch_event_ids(
    connection: Connection, waits: Sequence[Wait], tasks: StartTasks
) -> dict[str, tuple[list[str], list[str]]]:
    """Watch the indexes of the match keys of these waits; return the ids of the unused events since their
    workflows started and of the used events since the waits started. (WATCH, ZRANGEBYSCORE)

    Raises ReadAgain if there are too many for several waits at once.
    """
    waits_by_key: dict[str, list[Wait]] = {}
    for wait in waits:
        waits_by_key.setdefault(pattern_of(wait).match_key, []).append(wait)
    if not waits_by_key:
        return {}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *map(keys.unused_events, waits_by_key), *map(keys.used_events, waits_by_key))
    id_replies = {}
    for key, same_key_waits in waits_by_key.items():
        workflow_ms = min(tasks.started_ms[root_workflow(wait.task.workflow)] for wait in same_key_waits)
        wait_ms = min(StreamId.parse(wait.entry_id).ms for wait in same_key_waits)
        limit = ("LIMIT", 0, len(same_key_waits) + _EXTRA_EVENTS)
        id_replies[key] = (
            pipeline.add("ZRANGEBYSCORE", keys.unused_events(key), workflow_ms, "+inf", *limit),
            pipeline.add("ZRANGEBYSCORE", keys.used_events(key), wait_ms, "+inf", *limit),
        )
    pipeline.send()
    for key, (unused, used) in id_replies.items():
        wait_count, event_count = len(waits_by_key[key]), max(len(unused.value), len(used.value))
        if wait_count > 1 and event_count == wait_count + _EXTRA_EVENTS:
            raise ReadAgain
    return {
        key: ([id.decode() for id in unused.value], [id.decode() for id in used.value])
        for key, (unused, used) in id_replies.items()
    }


def deliver(
    connection: Connection, consumer: ConsumerId, user_events: Sequence[UserEvent], *, retain_ms: int
) -> None:
    """Let these events complete the waits that match them, buffer them for `retain_ms`, and acknowledge them.

    Delivers them in one transaction; then, one by one, those that match many waits, or all if Redis refused.
    An event that is older than `retain_ms` completes only waits that started before it.
    """
    if not user_events:
        return
    matches = _try_deliver(connection, consumer, user_events, BATCH_PAGE_SIZE, retain_ms)
    delivered = set(matches.delivered) if matches else set()
    for event in user_events:
        page_size = SINGLE_PAGE_SIZE
        while event.id not in delivered:
            matches = _try_deliver(connection, consumer, [event], page_size, retain_ms)
            delivered.update(matches.delivered if matches else ())
            if matches and not matches.matches:  # none of the later waits on this page can take the event
                page_size *= 2


def _try_deliver(
    connection: Connection,
    consumer: ConsumerId,
    user_events: Sequence[UserEvent],
    page_size: int,
    retain_ms: int,
) -> Matches | None:
    """Deliver these events in one transaction; return what it changed, or None if Redis refused.

    Watched: the field sets of their kinds, the events in the buffer, the waits of their match keys.
    """
    field_sets = watch_field_sets(connection, (event.kind for event in user_events))
    buffered = watch_buffered_events(connection, [event.id for event in user_events])
    keys_by_event = {
        event.id: match_keys(event.kind, event.fields, field_sets[event.kind]) for event in user_events
    }
    members_by_key = _watch_members(connection, keys_by_event.values(), page_size)
    waits = watch_waits(connection, list({member for page in members_by_key.values() for member in page}))
    now_ms = read_time_ms(connection)
    pages = {key: [waits[member] for member in members] for key, members in members_by_key.items()}
    arrivals = [
        (event, sort_candidates(event.id, [pages[key] for key in keys_by_event[event.id]], page_size))
        for event in user_events
    ]
    decide = partial(deliver_events, arrivals, buffered, fresh_after_ms=now_ms - retain_ms)
    matches = _decide(connection, consumer.stream, WorkflowStarts(now_ms=now_ms), decide)
    commands = _match_commands(consumer.stream, matches, field_sets, retain_ms, now_ms)
    commands += remove_wait_commands([wait for wait, _ in matches.matches])
    for key, members in members_by_key.items():
        ended_members = [member for member in members if waits[member] is None]
        commands += [("ZREM", keys.event_waits(key), *ended_members)] if ended_members else []
    commands += [acknowledge_command(consumer, matches.delivered)] if matches.delivered else []
    return None if connection.transact(commands) is None else matches


def _watch_members(
    connection: Connection, match_keys: Iterable[Sequence[str]], page_size: int
) -> dict[str, list[str]]:
    """Watch the indexes of these match keys; return the first members of each. (WATCH, ZRANGE)"""
    index_keys = {key: keys.event_waits(key) for keys_of_event in match_keys for key in keys_of_event}
    if not index_keys:
        return {}
    pipeline = Pipeline(connection)
    pipeline.add("WATCH", *index_keys.values())
    replies = {key: pipeline.add("ZRANGE", index, 0, page_size - 1) for key, index in index_keys.items()}
    pipeline.send()
    return {key: [member.decode() for member in reply.value] for key, reply in replies.items()}


def _decide(
    connection: Connection,
    stream: str,
    starts: WorkflowStarts,
    decide: Callable[[WorkflowStarts], Matches | StartsRequest],
) -> Matches:
    """Call `decide` until it has what it needs to know of the starts of workflows."""
    while isinstance(decision := decide(starts), StartsRequest):
        _load_starts(connection, stream, decision, starts)
    return decision


def _load_starts(connection: Connection, stream: str, request: StartsRequest, starts: WorkflowStarts) -> None:
    """Load what is requested into `starts`. (HGET, XRANGE)

    For an order that the times do not tell, look for the start-workflow event behind the event on the stream.
    If it is not there, the start counts as first.
    """
    pipeline = Pipeline(connection)
    start_replies = {workflow: pipeline.add("HGET", workflow, "started") for workflow in request.workflows}
    entry_replies = {}
    for workflow, event_id in request.orders:
        last_ms = StreamId.parse(event_id).ms + 1000
        entry_replies[workflow, event_id] = pipeline.add(
            "XRANGE", stream, f"({event_id}", str(last_ms), "COUNT", 1000
        )
    pipeline.send()
    for workflow, reply in start_replies.items():
        starts.started_ms[workflow] = None if reply.value is None else int(reply.value)
    for (workflow, event_id), reply in entry_replies.items():
        starts.is_start_first[workflow, event_id] = not any(
            _is_start_of(workflow, entry) for entry in parse_entries(reply.value)
        )


def _is_start_of(workflow: str, entry: Entry) -> bool:
    is_about_workflow = entry.fields.get(b"workflow") == encode_json(workflow).encode()
    return is_about_workflow and event_fields.peek_kind(entry.fields) == events.START_WORKFLOW


def _match_commands(
    stream: str,
    matches: Matches,
    field_sets: Mapping[str, Iterable[FieldSet]],
    retain_ms: int,
    now_ms: int,
) -> list[Command]:
    """Return the commands that append end-tasks and receipts, and write the buffer. `field_sets`: by kind."""
    commands = end_task_commands([match.end_task_values() for match in matches.matches], now_ms)
    at = format_timestamp(now_ms / 1000)
    commands += [
        append_command(stream, events.RECEIPT, at, events.receipt_values(id)) for id in matches.receipts
    ]
    for _, event in sorted(matches.buffered.items()):
        commands += buffer_event_commands(event, field_sets.get(event.kind, ()), retain_ms, now_ms)
    return commands
