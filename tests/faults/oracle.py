"""The oracle: what a flow must do, straight from docs/language.md, on the syntax that the generator has made.

It knows neither the compiler nor the engine of lfr: no graph, no activations, no stream. A step is evaluated
with the outputs before it, a statement step by step, a scope statement by statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.faults.syntax import Call, Program, Scope, Source, Statement, Step, Value
from tests.faults.workers.behaviour import output_of

Path = tuple[tuple[int, int], ...]
"""Where a step runs: the index of the iterated step and the number of the item, from the outermost on."""

Place = tuple[Path, int]
"""Which execution: where, and the index of the step."""


class _Failed:
    """Stands for an output that there is not, because a step has failed."""


FAILED: Final = _Failed()


@dataclass(slots=True)
class Execution:
    """A task that must be executed: its name and base, its input, its output."""

    call: Call
    input: Value
    output: Value


@dataclass(slots=True)
class Expectation:
    """What must become of a workflow: its output, or FAILED, and all executions of tasks by their places.

    If it must fail, `executions` are those that may happen: others than the failing ones may run before.
    """

    output: Value
    executions: dict[Place, Execution] = field(default_factory=dict)

    @property
    def has_failed(self) -> bool:
        """Whether the workflow must fail."""
        return self.output is FAILED


def expect(program: Program, input: Value) -> Expectation:
    """Return what must become of a flow with this input. Of a loop: of its first turn."""
    oracle = _Oracle()
    outputs = oracle.run_scope(program.scope, input, ())
    output = _merge(outputs) if program.merges_output else _gather(outputs)
    return Expectation(output, oracle.executions)


class _Oracle:
    def __init__(self) -> None:
        self.executions: dict[Place, Execution] = {}

    def run_scope(self, scope: Scope, input: Value, path: Path) -> list[Value]:
        """Return the outputs that leave a scope, in the order of the text."""
        outputs: dict[int, Value] = {}
        before_label: list[Value] = []
        for number, statement in enumerate(scope.statements):
            if not statement.follows:
                outputs[number] = self._run_statement(statement, [input], path)
                if statement.leads:
                    before_label.append(outputs.pop(number))
        for number, statement in enumerate(scope.statements):
            if statement.follows:
                outputs[number] = self._run_statement(statement, before_label, path)
        return [outputs[number] for number in sorted(outputs)]

    def _run_statement(self, statement: Statement, inputs: list[Value], path: Path) -> Value:
        outputs = inputs
        if statement.source is not None:
            outputs = [self._load(statement.source, outputs, path)]
        for step in statement.steps:
            outputs = [self._run_step(step, outputs, path)]
        if statement.sink:
            outputs = [FAILED if FAILED in outputs else {}]
        return outputs[0]

    def _load(self, source: Source, inputs: list[Value], path: Path) -> Value:
        return FAILED if FAILED in inputs else source.value

    def _run_step(self, step: Step, inputs: list[Value], path: Path) -> Value:
        input = _merge(inputs) if step.prefix == "> " else _gather(inputs)
        if input is FAILED:
            return FAILED
        if step.guard is not None and not step.guard.holds(input):
            return input
        if step.prefix != "* ":
            return self._run_body(step, input, path)
        items = input if isinstance(input, list) else [input]
        outputs = [self._run_body(step, item, (*path, (step.index, n))) for n, item in enumerate(items)]
        return FAILED if FAILED in outputs else outputs

    def _run_body(self, step: Step, input: Value, path: Path) -> Value:
        if step.stored:
            path = (*path, (step.index, 0))
        if step.scope is not None:
            return _gather(self.run_scope(step.scope, input, path))
        return _gather([self._execute(call, input, path) for call in step.calls])

    def _execute(self, call: Call, input: Value, path: Path) -> Value:
        output = task_output(call, input)
        self.executions[path, call.index] = Execution(call, input, output)
        return output


def task_output(call: Call, input: Value) -> Value:
    """Return the output of a task: of a worker's, or of one that lfr does itself."""
    category, _, word = call.base.partition(":")
    if category == "wait":
        return call.effective.get("expected_output", input)
    if category in ("redis", "request"):
        name, value = ("echoed", "hello") if category == "redis" else ("response", {"served": word})
        return {**(input if isinstance(input, dict) else {}), name: value}
    return output_of(call.base, input, call.effective, call.index)


def _gather(outputs: list[Value]) -> Value:
    """Return the input that several outputs make: without `{}`; one is passed on as it is."""
    if FAILED in outputs:
        return FAILED
    full = [output for output in outputs if output != {}]
    return full if len(full) > 1 else full[0] if full else {}


def _merge(outputs: list[Value]) -> Value:
    """Return the object that several outputs make, or FAILED if they cannot be merged."""
    if FAILED in outputs:
        return FAILED
    merged: dict[str, Value] = {}
    for output in outputs:
        if isinstance(output, list):
            output = _merge(output)
            if output is FAILED:
                return FAILED
        if isinstance(output, dict):
            merged.update(output)
        elif output is not None:
            return FAILED
    return merged
