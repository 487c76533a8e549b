"""Mistakes in lfr's own code that the tests must find: each one is a text in a file, and what stands there
instead.

The old text stands in its file exactly once: `tests/unit/test_mutations.py` holds that, so that who changes
such a line meets this table. `python3 build.py mutations` applies each to a copy and runs its tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mistake: `old` in `file` becomes `new`; at least one of `tests` must fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_INTEGRATION: Final = "tests/integration/"


def _tests(*names: str) -> tuple[str, ...]:
    return tuple(_INTEGRATION + name for name in names)


MUTATIONS: Final = (
    Mutation(
        "load without WATCH",
        "lfr/store/workflows/load.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *indices_by_id)',
        'pipeline.add("PING")',
        _tests("test_lifecycle.py", "test_consumers.py"),
    ),
    Mutation(
        "route without WATCH of the claims",
        "lfr/store/workflows/load.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *indices_by_id)',
        'pipeline.add("WATCH", *(indices_by_id or [keys.ALL]))',
        _tests("test_queues.py", "test_queues_moves.py"),
    ),
    Mutation(
        "start without WATCH",
        "lfr/store/workflows/load.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *ids, keys.flow(digest))',
        'pipeline.add("PING")',
        _tests("test_start.py", "test_queues.py"),
    ),
    Mutation(
        "append the lines of tasks without WATCH",
        "lfr/store/workflows/task_logs.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *attempt_keys, *map(keys.task_log, attempt_keys))',
        'pipeline.add("PING")',
        _tests("test_task_logs.py"),
    ),
    Mutation(
        "keep the decision over a refused try",
        "lfr/store/redis/transaction.py",
        """        if (replies := connection.transact(commands)) is not None:
""",
        """        while (replies := connection.transact(commands)) is None:
            pass
        else:
""",
        _tests("test_lifecycle.py", "test_iteration.py", "test_start.py", "test_queues_moves.py"),
    ),
    Mutation(
        "remove the oldest entries twice",
        "lfr/store/workflows/history.py",
        "        if now != before:  # another lifecycle has done it, or another workflow has the id\n",
        "        if now[0] != before[0]:\n",
        _tests("test_long_histories.py"),
    ),
    Mutation(
        "take a refused transaction for an accepted one",
        "lfr/store/redis/transaction.py",
        "        if connection.transact(attempt(items)) is not None:",
        "        if connection.transact(attempt(items)) is not False:",
        _tests("test_connection.py"),
    ),
    Mutation(
        "drop a refused batch",
        "lfr/roles/lifecycle.py",
        "            return batch_events.by_event() if is_ordered else batch_events.by_workflow()\n",
        "            return []\n",
        _tests("test_lifecycle.py"),
    ),
    Mutation(
        "acknowledge before the commit",
        "lfr/roles/lifecycle.py",
        "        batch_events = classify_batch(batch)\n",
        """        batch_events = classify_batch(batch)
        for each in self.ids:
            ids = [entry.id for entry in batch if entry.stream == each.stream]
            if ids:
                connection.call("XACK", each.stream, each.group, *ids)
""",
        _tests("test_lifecycle.py", "test_consumers.py", "test_poison.py"),
    ),
    Mutation(
        "never acknowledge results",
        "lfr/roles/lifecycle.py",
        "        commands += processed_commands(routes, self.ids, [*processed, *batch_events.notices])\n",
        "        commands += processed_commands(routes, self.ids, batch_events.notices)\n",
        _tests("test_lifecycle.py"),
    ),
    Mutation(
        "believe anybody's end of a step with children",
        "lfr/lifecycle/step_results.py",
        "elif entry.stream != keys.ENDS and workflow.flow.steps[task.index].has_children:",
        "elif entry.stream == keys.DEAD_LETTERS and workflow.flow.steps[task.index].has_children:",
        _tests("test_queues.py", "test_iteration.py", "test_calls.py"),
    ),
    Mutation(
        "begin the child of a call twice",
        "lfr/engine/calls.py",
        "    return is_current and (counts is None or counts.round != attempt)",
        "    return is_current",
        ("tests/unit/engine/test_calls.py",),
    ),
    Mutation(
        "keep the flow of a child that has succeeded in use",
        "lfr/store/workflows/calls.py",
        '("HINCRBY", keys.FLOW_REFERENCES, name, -count)',
        '("HINCRBY", keys.FLOW_REFERENCES, name, 0 * count)',
        _tests("test_calls.py"),
    ),
    Mutation(
        "leave the child of an attempt that is over running",
        "lfr/lifecycle/calls.py",
        "        for cancel in item_events.cancels:",
        "        for cancel in item_events.cancels[:0]:",
        _tests("test_calls.py"),
    ),
    Mutation(
        "ignore the attempt",
        "lfr/engine/advance.py",
        "    if result.attempt is not None and result.attempt != before.attempt:",
        "    if result.attempt is not None and result.attempt > before.attempt:",
        ("tests/unit/engine", _INTEGRATION + "test_attempts.py"),
    ),
    Mutation(
        "ignore whether the step runs",
        "lfr/engine/advance.py",
        "    if before.active == 0:\n",
        "    if before.active < 0:\n",
        ("tests/unit/engine", _INTEGRATION + "test_lifecycle.py"),
    ),
    Mutation(
        "keep activations of a step that failed",
        "lfr/engine/advance.py",
        "        transition = self.transition\n        self.return_activations(step.index)\n",
        "        transition = self.transition\n",
        ("tests/unit/engine",),
    ),
    Mutation(
        "forget attempts in a loop",
        "lfr/store/workflows/commit.py",
        "    last_deleted = 0 if flow.predecessors[0] else 1\n",
        "    last_deleted = 1\n",
        _tests("test_lifecycle.py", "test_attempts.py"),
    ),
    Mutation(
        "keep the mark of a latch in a loop",
        "lfr/store/workflows/commit.py",
        "    if counting:\n",
        "    if not counting:\n",
        _tests("test_latches.py"),
    ),
    Mutation(
        "leave deadlines of attempts that are over",
        "lfr/store/workflows/commit.py",
        "    if deadlines:\n",
        "    if not deadlines:\n",
        _tests("test_attempts.py", "test_leftovers.py"),
    ),
    Mutation(
        "leave delayed starts of attempts that are over",
        "lfr/store/workflows/commit.py",
        "    yield from forget_start_commands(starts)\n",
        "    yield from forget_start_commands([])\n",
        _tests("test_attempts.py", "test_leftovers.py"),
    ),
    Mutation(
        "fire a delayed start without WATCH",
        "lfr/store/workflows/attempt_timers.py",
        "    routes = route_cache.watch(connection, *start_keys.values())\n",
        "    routes = route_cache.watch(connection)\n",
        _tests("test_attempts.py"),
    ),
    Mutation(
        "start a wait without WATCH",
        "lfr/store/waits/start.py",
        '    pipeline.add("WATCH", *(keys.wait(*each.task.attempt_id) for each in tasks))\n',
        '    pipeline.add("PING")\n',
        _tests("test_delays.py", "test_latches.py", "test_event_waits.py"),
    ),
    Mutation(
        "start a wait of a start-task that is no longer pending",
        "lfr/store/waits/start.py",
        "        if is_present and check_reply(pending.value_or_error):\n",
        "        if is_present:\n",
        _tests("test_delays.py", "test_latches.py", "test_event_waits.py", "test_waits_at_random.py"),
    ),
    Mutation(
        "end a wait without WATCH",
        "lfr/store/waits/registry.py",
        '    pipeline.add("WATCH", *wait_keys.values())\n',
        '    pipeline.add("PING")\n',
        _tests("test_delays.py", "test_event_waits.py", "test_latches.py"),
    ),
    Mutation(
        "count a latch again in each attempt",
        "lfr/store/waits/latches.py",
        "        counted_ids = {id for id, mark in marks.items() if mark.is_counted}\n",
        "        counted_ids: set[str] = set()\n",
        _tests("test_latches.py"),
    ),
    Mutation(
        "count the same attempt of a latch twice",
        "lfr/store/waits/latches.py",
        "        done_ids = {id for id, mark in marks.items() if mark.is_of_attempt}\n",
        "        done_ids: set[str] = set()\n",
        _tests("test_latches.py"),
    ),
    Mutation(
        "count a latch without WATCH",
        "lfr/store/waits/latches.py",
        '    pipeline.add("WATCH", *(key for pair in key_pairs.values() for key in pair))\n',
        '    pipeline.add("PING")\n',
        _tests("test_latches.py"),
    ),
    Mutation(
        "deliver events without WATCH",
        "lfr/store/waits/match.py",
        '    pipeline.add("WATCH", *index_keys.values())\n',
        '    pipeline.add("PING")\n',
        _tests("test_event_waits.py", "test_waits_at_random.py"),
    ),
    Mutation(
        "start an event wait without WATCH of the buffer",
        "lfr/store/waits/match.py",
        'pipeline.add("WATCH", *map(keys.unused_events, waits_by_key), *map(keys.used_events, waits_by_key))',
        'pipeline.add("PING")',
        _tests("test_event_waits.py", "test_waits_at_random.py"),
    ),
    Mutation(
        "let a later event overtake",
        "lfr/store/waits/order.py",
        "            if kind in oldest and oldest[kind] < StreamId.parse(id):\n",
        "            if kind in oldest and oldest[kind] > StreamId.parse(id):\n",
        _tests("test_event_waits.py"),
    ),
    Mutation(
        "claim without WATCH",
        "lfr/store/queues/claims.py",
        '        [("WATCH", keys.CLAIMS_VERSION), ("GET", keys.CLAIMS_VERSION), ("HGETALL", keys.CLAIMS)]\n',
        '        [("PING",), ("GET", keys.CLAIMS_VERSION), ("HGETALL", keys.CLAIMS)]\n',
        _tests("test_queues.py", "test_queues_moves.py"),
    ),
    Mutation(
        "claim without a new version",
        "lfr/store/queues/claims.py",
        "        if added or released:\n            commands.append(new_version_command())\n",
        "",
        _tests("test_queues.py", "test_queues_moves.py"),
    ),
    Mutation(
        "move a task and leave it on the bus",
        "lfr/store/queues/move.py",
        '            commands.append(("XDEL", route_cache.bus, *(entry.id for entry in movable.values())))\n',
        "",
        _tests("test_queues.py", "test_queues_moves.py"),
    ),
    Mutation(
        "move what a foreign worker works on",
        "lfr/store/queues/move.py",
        "movable = {member: entry for member, entry in entries.items() if entry.id not in foreign_ids}",
        "movable = dict(entries)",
        _tests("test_queues.py", "test_queues_moves.py"),
    ),
    Mutation(
        "execute what it has reclaimed from itself",
        "lfr/runtime/consumer.py",
        "        own_ids = set(self.claimed_ids())  # also what ends before the reply has come\n",
        "        own_ids: set[str] = set()\n",
        _tests("test_executor.py"),
    ),
    Mutation(
        "look at its own tasks only after Redis has given entries out",
        "lfr/runtime/consumer.py",
        "        entries = [entry for entry in entries if entry.id not in own_ids or",
        "        own_ids = set(self.claimed_ids())\n"
        "        entries = [entry for entry in entries if entry.id not in own_ids or",
        _tests("test_executor.py"),
    ),
    Mutation(
        "take an entry of another stream for one that is in memory",
        "lfr/roles/receipts.py",
        "            in_memory = cached if receipt.stream == bus else ()",
        "            in_memory = cached",
        _tests("test_receipts.py"),
    ),
    Mutation(
        "execute stale tasks",
        "lfr/worker/executor.py",
        "        if self._must_check or self.is_reclaimed:\n",
        "        if self.is_reclaimed and not self._claims:\n",
        _tests("test_executor.py", "test_queues.py", "test_queues_moves.py"),
    ),
    Mutation(
        "forget the ends that could not be sent",
        "lfr/worker/completions.py",
        "self._waiting += group  # behind the others: the next one that is tried is another one",
        "pass",
        _tests("test_executor.py"),
    ),
    Mutation(
        "let a task hold up the thread that reads",
        "lfr/worker/reader.py",
        "            self._hand_over(turn, begun_count)\n",
        "            pass\n",
        _tests("test_executor.py"),
    ),
    Mutation(
        "drop a batch whose early transaction was refused",
        "lfr/roles/lifecycle.py",
        "                self._process(other, batch_events)\n",
        "                pass\n",
        _tests("test_read_ahead.py"),
    ),
    Mutation(
        "never take over what was left behind",
        "lfr/runtime/consumer.py",
        "                entries += part\n",
        "",
        _tests("test_consumers.py", "test_executor.py"),
    ),
    Mutation(
        "drop what a removed consumer has just read",
        "lfr/store/stream/groups.py",
        "        if replies and replies[0]:\n",
        "        if not replies:\n",
        _tests("test_consumers.py"),
    ),
    Mutation(
        "clear an entry that a group has pending",
        "lfr/store/stream/cleanup.py",
        "        return [each for each in past if pending.isdisjoint(each)], abandoned\n",
        "        return past, abandoned\n",
        _tests("test_receipts.py"),
    ),
    Mutation(
        "restart an item whose parent was terminated",
        "lfr/lifecycle/items.py",
        "None if workflow is None or expected is not state else transition_if_allowed(workflow, state)",
        "None if workflow is None else transition_if_allowed(workflow, state)",
        _tests("test_iteration.py"),
    ),
    Mutation(
        "delete a workflow and leave it in the list",
        "lfr/store/workflows/search_indexes.py",
        "(keys.ALL, *map(keys.state, states), *_own_indexes(name, labels))",
        "(*map(keys.state, states), *_own_indexes(name, labels))",
        _tests("test_leftovers.py", "test_records.py"),
    ),
    Mutation(
        "delete a workflow and leave it in the index of its labels",
        "lfr/store/workflows/search_indexes.py",
        "(keys.ALL, *map(keys.state, states), *_own_indexes(name, labels))",
        "(keys.ALL, *map(keys.state, states), keys.flow_index(name))",
        _tests("test_search.py"),
    ),
    Mutation(
        "go on behind the chunk, not behind the last workflow of the page",
        "lfr/operations/select_workflows.py",
        "if chunk and not ids:",
        "if chunk:",
        _tests("test_search.py"),
    ),
    Mutation(
        "decide a schedule without WATCH",
        "lfr/store/schedules.py",
        'connection.execute([("WATCH", *map(keys.schedule, names))])',
        'connection.execute([("PING",)])',
        _tests("test_schedules.py"),
    ),
    Mutation(
        "let the end of a workflow wake no schedule",
        "lfr/store/workflows/commit.py",
        'commands.append(("ZADD", keys.SCHEDULES_DUE, "XX", "LT", now_ms, schedule))',
        "pass",
        _tests("test_schedules.py"),
    ),
    Mutation(
        "start the workflow of a schedule before its cursor is moved",
        "lfr/operations/decide_schedule.py",
        "        commands += decision_commands(stored, decision, now_ms)\n",
        """        if commands and connection.transact(commands) is None:
            raise ReadAgain
        commands = decision_commands(stored, decision, now_ms)
""",
        _tests("test_schedules.py"),
    ),
    Mutation(
        "start what was held and has been ended by hand",
        "lfr/operations/complete_task.py",
        ", *forget_start_commands([attempt_id])]",
        "]",
        _tests("test_pauses.py"),
    ),
    Mutation(
        "drop with a resume what waits for the clock",
        "lfr/store/queues/pauses.py",
        'keys.DELAYED_STARTS, 2, keys.DELAYED_STARTS, keys.HELD_STARTS, "WEIGHTS", 1, 0',
        'keys.DELAYED_STARTS, 1, keys.HELD_STARTS, "WEIGHTS", 0',
        _tests("test_pauses.py"),
    ),
    Mutation(
        "begin the child of an attempt beside that of the attempt before",
        "lfr/lifecycle/calls.py",
        "        for child in self._former_children(connection, workflow, item_events):\n",
        "        for child in ():\n",
        _tests("test_calls.py"),
    ),
    Mutation(
        "queue what has ended apart from its acknowledgement",
        "lfr/roles/traces.py",
        "connection.transact([*queue_commands(ended[:room], read_time_ms(connection)), acknowledge])",
        "connection.transact([acknowledge])",
        _tests("test_traces.py"),
    ),
    Mutation(
        "export without a lease",
        "lfr/store/traces.py",
        "return (lease_commands(due, now_ms + lease_ms) if due else None), due",
        "return (remove_commands(due) if due else None), due",
        _tests("test_traces.py"),
    ),
    Mutation(
        "delete the history of a child before it is exported",
        "lfr/store/traces.py",
        '("COPY", keys.facts(child), key, "REPLACE")',
        '("DEL", key)',
        _tests("test_traces.py"),
    ),
    Mutation(
        "queue a notice and leave its event pending",
        "lfr/roles/notify.py",
        "return admit(quiets, new, now_ms), [acknowledge]",
        "return admit(quiets, new, now_ms), []",
        _tests("test_notify.py"),
    ),
    Mutation(
        "take a notice off the queue before it is delivered",
        "lfr/store/notices.py",
        'commands.append(("ZADD", keys.notices_due(name), now_ms + lease_ms, id))',
        'commands.append(("ZREM", keys.notices_due(name), id))',
        _tests("test_notify.py"),
    ),
    Mutation(
        "decide what is quiet without WATCH",
        "lfr/store/notices.py",
        '[("WATCH", keys.NOTICE_QUIET, *more), TIME, ("HGETALL", keys.NOTICE_QUIET)]',
        '[("PING",), TIME, ("HGETALL", keys.NOTICE_QUIET)]',
        _tests("test_notify.py"),
    ),
    Mutation(
        "delete another workflow that has the id of one that matched",
        "lfr/operations/intervene.py",
        "record is None or not (condition(record) or record.run == stopped_run)",
        "record is None",
        _tests("test_bulk.py"),
    ),
    Mutation(
        "read workflows ahead without WATCH",
        "lfr/lifecycle/read_ahead.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *self._expected)',
        'pipeline.add("PING")',
        _tests("test_read_ahead.py"),
    ),
    Mutation(
        "read workflows ahead without WATCH of the claims and pauses",
        "lfr/lifecycle/read_ahead.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *self._expected)',
        'pipeline.add("WATCH", *self._expected)',
        _tests("test_read_ahead.py"),
    ),
    Mutation(
        "use what was read ahead for an end that may be another lifecycle's by now",
        "lfr/lifecycle/read_ahead.py",
        "            and not batch_events.results_without_attempt()\n",
        "",
        _tests("test_read_ahead.py", "test_second_lifecycle.py"),
    ),
    Mutation(
        "count an end without attempt that is pending for another lifecycle",
        "lfr/store/stream/groups.py",
        "        return [entry for entry in self._entries if (entry.stream, entry.id) not in pending]",
        "        return []",
        _tests("test_second_lifecycle.py"),
    ),
    Mutation(
        "take the event of an earlier workflow for one of this run",
        "lfr/store/workflows/attempt_status.py",
        "        return event_run == run\n",
        "        return True\n",
        _tests("test_runs.py"),
    ),
    Mutation(
        "forget the ends whose read has failed",
        "lfr/worker/completions.py",
        "        except BaseException:\n            self._put_back(group)\n            raise\n",
        "        except BaseException:\n            raise\n",
        _tests("test_executor.py"),
    ),
    Mutation(
        "forget the ends that Redis has refused with a read",
        "lfr/worker/completions.py",
        "        except (Unreachable, Refused) as error:\n            self._put_back(group)\n",
        "        except (Unreachable, Refused) as error:\n",
        _tests("test_executor.py"),
    ),
    Mutation(
        "send the ends of tasks that a failover has lost",
        "lfr/worker/executor.py",
        "            self._completions.drop(lost)\n",
        "            pass\n",
        _tests("test_executor.py"),
    ),
    Mutation(
        "drop the copy of a value that a running attempt uses",
        "lfr/store/workflows/large_values.py",
        "    return step is None or step.active > 1 or",
        "    return step is not None or step.active > 1 or",
        _tests("test_large_values.py", "test_pointers.py"),
    ),
    Mutation(
        "pause without a new version of the claims",
        "lfr/store/queues/pauses.py",
        "_field(pause.scope, pause.name), value), new_version_command()]",
        "_field(pause.scope, pause.name), value)]",
        _tests("test_pauses.py"),
    ),
    Mutation(
        "resume without a new version of the claims",
        "lfr/store/queues/pauses.py",
        '        ("HDEL", keys.PAUSES, _field(pause.scope, pause.name)),\n        new_version_command(),\n',
        '        ("HDEL", keys.PAUSES, _field(pause.scope, pause.name)),\n',
        _tests("test_pauses.py"),
    ),
    Mutation(
        "start a delayed attempt in spite of a pause",
        "lfr/store/workflows/attempt_timers.py",
        "        if attempt[0] in holds and holds[attempt[0]].pause_of(invocation) is not None:\n",
        "        if attempt[0] not in holds and attempt[0] in holds:\n",
        _tests("test_pauses.py"),
    ),
    Mutation(
        "pause a workflow that has ended meanwhile",
        "lfr/operations/pause.py",
        "        check_action(action, id, state, is_paused=pause is not None)\n",
        "",
        _tests("test_pauses.py"),
    ),
    Mutation(
        "fail by its deadline a workflow that was restarted meanwhile",
        "lfr/store/workflows/workflow_timeouts.py",
        "        if deadline_ms is None or deadline_ms > routes.now_ms:\n",
        "        if deadline_ms is None:\n",
        _tests("test_workflow_timeouts.py"),
    ),
    Mutation(
        "prune before the archive is written",
        "lfr/operations/prune.py",
        "    write_archive(archive_workflow(store, id))\n",
        """    document = archive_workflow(store, id)
    delete_workflow_if(store, FlowCache(), id, filter.matches)
    write_archive(document)
""",
        _tests("test_prune.py", "test_retention.py"),
    ),
    Mutation(
        "prune a workflow that was restarted after its archive was written",
        "lfr/operations/prune.py",
        "    return _same_run(filter, archived)\n",
        "    return filter.matches\n",
        _tests("test_prune.py"),
    ),
    Mutation(
        "prune a workflow that does not match any more",
        "lfr/operations/prune.py",
        "        return PruneStep(id, delete_workflow_if(store, flows, id, condition))\n",
        "        return PruneStep(id, delete_workflow_if(store, flows, id, lambda _: True))\n",
        _tests("test_prune.py"),
    ),
    Mutation(
        "delete many together without WATCH",
        "lfr/operations/delete_ended.py",
        'pipeline.add("WATCH", keys.CLAIMS_VERSION, *ids)',
        'pipeline.add("PING")',
        _tests("test_retention.py"),
    ),
    Mutation(
        "delete together what does not match any more",
        "lfr/operations/delete_ended.py",
        "        elif record is None or not conditions[id](record):\n",
        "        elif record is None:\n",
        _tests("test_retention.py"),
    ),
    Mutation(
        "let retention delete before the archive is written",
        "lfr/lifecycle/retention.py",
        "        if self._write is None:\n            self._doomed",
        "        if self._write is not self:\n            self._doomed",
        _tests("test_retention.py"),
    ),
    Mutation(
        "take the result of the child of an attempt that is over",
        "lfr/engine/calls.py",
        "            if result.id.round == counts.round:\n",
        "            if result.id.round <= counts.round:\n",
        ("tests/unit/engine/test_calls.py", _INTEGRATION + "test_calls.py"),
    ),
    Mutation(
        "take the result of a child whose call was retried or has ended",
        "lfr/engine/calls.py",
        "    elif counts is not None and step.active and counts.round == step.attempt:\n",
        "    elif counts is not None:\n",
        ("tests/unit/engine/test_calls.py", _INTEGRATION + "test_calls.py"),
    ),
    Mutation(
        "begin the child of a call whose attempt is over",
        "lfr/engine/calls.py",
        "    is_current = step.active > 0 and attempt == step.attempt\n",
        "    is_current = step.active > 0\n",
        ("tests/unit/engine/test_calls.py",),
    ),
)
