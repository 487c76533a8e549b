"""The role redis: runs the `redis:` tasks, which send commands to Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from lfr import events
from lfr.errors import BadSettings, TooLarge
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import (
    INPUT_IS_GONE,
    Completion,
    complete_tasks,
    deadly_reason,
    load_inputs,
    parse_tasks,
    successful_completion,
)
from lfr.store.key_patterns import is_of_an_installation
from lfr.store.redis.connection import Connection, Reply, Store, is_error, is_unavailable
from lfr.store.stream.entries import Entry
from lfr.store.stream.groups import read_deliveries, write_deliveries
from lfr.store.workflows.attempt_status import are_current
from lfr.tasks.catalogue import REDIS_PREFIX
from lfr.tasks.parameters import BadParameter
from lfr.tasks.redis_command import (
    MAX_REPLY_BYTES,
    CommandPolicy,
    RedisCommand,
    allowed_commands,
    parse_command,
    reply_output,
)
from lfr.values.json import ABSENT

_Sent: TypeAlias = tuple[str, events.StartTask, RedisCommand]
"""A task with its command; before them, the id of the entry."""


class RedisTasks(Consumer):
    """Sends the commands of a batch of tasks, those with short replies in one write and in one transaction.

    Raises BadSettings for commands that cannot be allowed.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store, "redis", claims=(f"{REDIS_PREFIX}*",))
        try:
            commands = allowed_commands(store.settings.redis_commands)
        except ValueError as error:
            raise BadSettings(str(error), place="redis.commands") from None
        prefix = store.settings.redis_prefix
        self._policy = CommandPolicy(commands, lambda key: is_of_an_installation(key, prefix, store.stream))

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Run the `redis:` tasks of a batch whose attempts are current; acknowledge the others. A task with
        wrong parameters, or whose command Redis refuses, fails. Raises Unreachable if Redis cannot serve."""
        tasks = dict(parse_tasks(batch, lambda base: base.startswith(REDIS_PREFIX))[0])
        tasks = dict(load_inputs(connection, list(tasks.items())))
        self.settle_later([entry for entry in batch if entry.id not in tasks])
        if self.is_reclaimed:
            self._run_singly(connection, tasks)
        else:
            self._run(connection, tasks)

    def _run_singly(self, connection: Connection, tasks: Mapping[str, events.StartTask]) -> None:
        """Run tasks that were taken over one by one, so that each counts as delivered only once it begins.
        One that was delivered too often fails."""
        deliveries = read_deliveries(connection, self.id, list(tasks))
        write_deliveries(connection, self.id, {id: count - 1 for id, count in deliveries.items()})
        most = self.store.settings.tasks_deliveries
        for id, task in tasks.items():
            count = deliveries.get(id, 1)
            if count > most and are_current(connection, [task], [id])[0]:
                values = events.end_task_values(task, failure=deadly_reason(most), is_final=True)
                completions = [Completion(id, values)]
                complete_tasks(connection, self.id, completions, has_receipts=self.has_receipts)
            else:
                write_deliveries(connection, self.id, {id: count})
                self._run(connection, {id: task})

    def _run(self, connection: Connection, tasks: Mapping[str, events.StartTask]) -> None:
        commands: list[_Sent] = []
        completions: list[Completion] = []
        current = are_current(connection, list(tasks.values()), list(tasks))
        for (id, task), is_current in zip(tasks.items(), current, strict=True):
            if not is_current:
                completions.append(Completion(id, None))
                continue
            if task.input is ABSENT:
                completions.append(Completion(id, events.end_task_values(task, failure=INPUT_IS_GONE)))
                continue
            try:
                command = parse_command(task, self._policy)
                connection.check_size([command.words])
                commands.append((id, task, command))
            except (BadParameter, TooLarge) as error:
                values = events.end_task_values(task, failure=str(error), is_final=True)
                completions.append(Completion(id, values))
        short = [sent for sent in commands if sent[2].has_short_reply]
        replies = connection.execute_with_raw_keys([command.words for _, _, command in short])
        self._complete(connection, list(zip(short, replies, strict=True)), completions)
        # Each reply that may be long comes by itself: so Redis and this process have one in memory, and not
        # those of a whole batch. What only writes is complete by now.
        answered: list[tuple[_Sent, Reply]] = []
        start = connection.received_bytes
        for sent in commands:
            if not sent[2].has_short_reply:
                try:
                    [reply] = connection.execute_with_raw_keys([sent[2].words], MAX_REPLY_BYTES)
                except TooLarge as error:
                    reply = error
                answered.append((sent, reply))
                if connection.received_bytes - start > MAX_REPLY_BYTES:
                    self._complete(connection, answered, [])
                    answered, start = [], connection.received_bytes
        self._complete(connection, answered, [])

    def _complete(
        self,
        connection: Connection,
        answered: Sequence[tuple[_Sent, Reply]],
        others: Sequence[Completion],
    ) -> None:
        """Complete the tasks of commands that were answered, and others, in one transaction. Raises
        Unreachable if Redis could not serve: that fails no task, it is tried again."""
        completions = list(others)
        refusals: list[Reply] = []
        for (id, task, command), reply in answered:
            if is_error(reply) and is_unavailable(reply):
                refusals.append(reply)
            else:
                completions.append(self._completion(id, task, command, reply))
        complete_tasks(connection, self.id, completions, has_receipts=self.has_receipts)
        connection.check(refusals)

    def _completion(self, id: str, task: events.StartTask, command: RedisCommand, reply: Reply) -> Completion:
        """Return how a task ends: `reply` is what Redis has answered, or TooLarge."""
        if isinstance(reply, TooLarge):
            values = events.end_task_values(task, failure=f"{task.base}: {reply.message}", is_final=True)
            return Completion(id, values)
        failure = f"{task.base}: Redis refuses {command.words[0]}: {reply}"
        if not is_error(reply):
            try:
                output = reply_output(command, task.input, reply)
                return successful_completion(id, task, output, self.store.settings.values_large)
            except BadParameter as error:
                failure = str(error)
        return Completion(id, events.end_task_values(task, failure=failure))


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped and return the exit code. Raises BadSettings."""
    return run_consumers(context, [RedisTasks(store)])
