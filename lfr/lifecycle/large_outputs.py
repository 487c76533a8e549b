"""Outputs to which end-tasks refer, because they are large: loaded once for all results of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from lfr import events
from lfr.engine.transition import StepResult
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import Entry
from lfr.store.workflows.large_values import delete_large_values_command, load_large_values
from lfr.store.workflows.load import LoadedWorkflow
from lfr.values.json import InvalidJson, Json, decode_json, encode_json
from lfr.values.pointers import Pointer


class LargeOutputs:
    """The outputs of these pointers, by workflow, as JSON, and as values once they are asked for."""

    def __init__(self, connection: Connection, pointers: Mapping[str, Iterable[Pointer]]) -> None:
        """Load the outputs; without pointers do nothing. (HGET)"""
        self._ids = list(pointers)
        self._texts = load_large_values(connection, chain.from_iterable(pointers.values()))
        self._values: dict[Pointer, Json] = {}

    def count_bytes(self) -> int:
        """Return how many bytes they have together."""
        return sum(map(len, self._texts.values()))

    def result(self, workflow: LoadedWorkflow, task: events.EndTask, pointer: Pointer) -> StepResult:
        """Return the result for the engine of an end-task that refers to its output. All that refer to one
        output get one value, so that it is encoded once."""
        encoded = self._texts.get(pointer)
        if encoded is None:
            return StepResult(task.index, failure="its output is gone from Redis", attempt=task.attempt)
        if pointer not in self._values:
            try:
                self._values[pointer] = decode_json(encoded)
            except InvalidJson:
                failure = "the output that its worker wrote is not JSON"
                return StepResult(task.index, failure=failure, attempt=task.attempt)
        output = self._values[pointer]
        workflow.texts.add(output, encoded)
        workflow.large_values.names[id(output)] = output, pointer.name
        return StepResult(task.index, output, attempt=task.attempt)

    def add_to(self, ends: Sequence[Entry]) -> Sequence[Entry]:
        """Return end-tasks with the outputs to which they refer, for workers that cannot read pointers."""
        if not self._texts:
            return ends
        texts = {encode_json(pointer).encode(): text for pointer, text in self._texts.items()}
        return [_with_output(entry, texts) for entry in ends]

    def cleanup_commands(
        self, loaded: Mapping[str, LoadedWorkflow], advanced: Iterable[str]
    ) -> list[Command]:
        """Return the commands that delete outputs whose workflow does not exist, or which is not among those
        that are `advanced`: the results are of an earlier workflow with its id."""
        commands = [delete_large_values_command(id) for id in self._ids if id not in loaded]
        for id in loaded.keys() & set(self._ids) - set(advanced):
            commands += loaded[id].large_values.commands(loaded[id].progress)
        return commands


def _with_output(entry: Entry, texts: Mapping[bytes, bytes]) -> Entry:
    pointer = entry.fields.get(b"output_from")
    if pointer is None:
        return entry
    fields = {name: value for name, value in entry.fields.items() if name != b"output_from"}
    return entry._replace(fields={**fields, b"output": texts.get(pointer, b"null")})
