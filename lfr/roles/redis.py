"""The role redis: runs the `redis:` tasks, which send commands to Redis."""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.errors import BadSettings
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.runtime.tasks import Completion, complete_tasks, parse_tasks
from lfr.store.keys import is_of_an_installation
from lfr.store.redis.connection import Connection, Reply, Store, is_error
from lfr.store.stream.entries import Entry
from lfr.store.workflows.attempt_status import are_current
from lfr.tasks.catalogue import REDIS_PREFIX
from lfr.tasks.parameters import BadParameter
from lfr.tasks.redis_command import CommandPolicy, RedisCommand, allowed_commands, parse_command, reply_output
from lfr.values.json import Json


class RedisTasks(Consumer):
    """Sends the commands of a batch of tasks in one write, and completes the tasks in one transaction.

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
        wrong parameters, or whose command Redis refuses, fails."""
        all_tasks, _ = parse_tasks(batch)
        tasks = {id: task for id, task in all_tasks if task.base.startswith(REDIS_PREFIX)}
        self.settle_later([entry for entry in batch if entry.id not in tasks])
        commands: list[tuple[str, events.StartTask, RedisCommand]] = []
        completions: list[Completion] = []
        current = are_current(connection, list(tasks.values()), list(tasks))
        for (id, task), is_current in zip(tasks.items(), current, strict=True):
            if not is_current:
                completions.append(Completion(id, None))
                continue
            try:
                commands.append((id, task, parse_command(task, self._policy)))
            except BadParameter as error:
                values = events.end_task_values(task, failure=str(error), is_final=True)
                completions.append(Completion(id, values))
        words = [command.words for _, _, command in commands]
        replies = connection.execute_with_raw_keys(words)
        for (id, task, command), reply in zip(commands, replies, strict=True):
            completions.append(Completion(id, _end_task_values(task, command, reply)))
        complete_tasks(connection, self.id, completions, has_receipts=self.has_receipts)


def _end_task_values(task: events.StartTask, command: RedisCommand, reply: Reply) -> dict[str, Json]:
    if is_error(reply):
        return events.end_task_values(task, failure=f"{task.base}: Redis refuses {command.words[0]}: {reply}")
    try:
        return events.end_task_values(task, output=reply_output(command, task.input, reply))
    except BadParameter as error:
        return events.end_task_values(task, failure=str(error))


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped and return the exit code. Raises BadSettings."""
    return run_consumers(context, [RedisTasks(store)])
