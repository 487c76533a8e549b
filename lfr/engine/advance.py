"""The algorithm: the transition that begins a workflow, and the transition that the result of a step causes.

When a step ends, each of its successors gets an activation. A step that has as many activations as its
threshold uses them up and starts: its input is gathered, merged if the step says `>`, and tested by the
step's guard. A task or a resource then runs until its result arrives. A start, an end, a literal and a
subflow pass: they end at once and activate their successors within the same transition. A step whose guard
is false is skipped: its input is its output, and its successors are activated. When nothing runs any more,
the workflow has finished.

An iterated step runs as a task does: it starts with the list of its items and ends with the list of their
outputs. A workflow of its own runs for each item, see `lfr.engine.items`.

A failed task is retried if the step's options say so. Otherwise the step gets its activations back, as if it
had never started, and no further step starts. A restart then starts every step that has enough activations.

The work for one result depends on the steps that it changes, never on the size of the flow. If the progress
of one of these steps has not been loaded, the answer is a `LoadRequest`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from lfr.engine.step_inputs import InputError, PayloadMeter, TooBig, merge
from lfr.engine.transition import (
    UNTOUCHED,
    Attempt,
    Fact,
    FactKind,
    LoadRequest,
    Progress,
    StaleResult,
    Start,
    StepProgress,
    StepResult,
    Transition,
)
from lfr.flow import WORKFLOW_INPUT, Flow, Step, StepKind
from lfr.guard import Guard, GuardError, parse_guard
from lfr.states import WorkflowState
from lfr.step_options import Invocation, is_retryable, retry_delay
from lfr.values.json import Json
from lfr.values.work import LookBudget

MAX_STARTS: Final = 10_000
"""How many steps one transition may start besides four times the steps of its flow. More are a loop without a
task, which the compiler refuses, or activations that no run of the flow can have made."""


def begin(flow: Flow, input: Json, budget: LookBudget | None = None) -> Transition:
    """Return the first transition of a workflow: it activates the flow's first step.

    The flow may be the part of one that runs for an item. `budget` is as for `advance`.
    """
    builder = TransitionBuilder(flow, Progress(is_whole=True), {WORKFLOW_INPUT: input}, budget)
    builder.transition.outputs[WORKFLOW_INPUT] = input
    builder.activate(flow.first)
    builder.propagate()
    return builder.transition


def advance(
    flow: Flow,
    progress: Progress,
    outputs: Mapping[int, Json],
    result: StepResult,
    budget: LookBudget | None = None,
) -> Transition | LoadRequest | StaleResult:
    """Return what the result of a step changes; StaleResult if the step does not run or runs another attempt;
    LoadRequest if something that it depends on is not loaded. `progress` and `outputs` stay as they are.

    If `progress` is not whole, an output that is not in `outputs` has not been loaded. `budget` is for the
    guards and merges of the transition: a step beyond it fails; None: MAX_LOOKS. Raises IndexError if the
    flow has no such step.
    """
    step, before = flow.steps[result.index], progress.step(result.index)
    if before is None:
        return LoadRequest(frozenset({result.index}))
    if before.active == 0:
        return StaleResult("the step does not run")
    if result.attempt is not None and result.attempt != before.attempt:
        return StaleResult(f"attempt {result.attempt} is over, attempt {before.attempt} runs")
    invocation = flow.invocation_of(result.index)
    builder = TransitionBuilder(flow, progress, outputs, budget)
    builder.stop(result.index, invocation)
    if step.iterate and result.failure is None:
        result = replace(result, failure=builder.check_output(result.output))
    if result.failure is None:
        builder.complete(step, FactKind.ENDED, result.output)
    elif (
        progress.state is WorkflowState.RUNNING
        and (delay := _delay_of_retry(invocation, before, result)) is not None
    ):
        builder.retry(step, invocation, result.failure, delay=delay, retries=before.retries + 1)
    else:
        builder.fail(step, result.failure)
    if result.is_simulated:
        builder.mark_simulated(step.index)
    builder.transition.actor = result.actor
    builder.propagate()
    return builder.result()


def _delay_of_retry(invocation: Invocation, before: StepProgress, result: StepResult) -> float | None:
    """Return the seconds after which a failed task is retried, or None if it is not."""
    retry = invocation.options.retry
    if retry is None or before.retries >= retry.times or result.is_final:
        return None
    if not is_retryable(retry, result.failure or ""):
        return None
    return retry_delay(retry, before.retries + 1, result.chance)


def gather_input(
    flow: Flow, output: Callable[[int], Json], index: int, budget: LookBudget | None = None
) -> Json:
    """Return the input of a step: the outputs of its sources by ascending index, without those that are `{}`.

    If none is left, the input is `{}`; if one is left, that output; otherwise a list of them. If the step
    says `>`, they are merged into one object. `output` returns the output of a step by index, `{}` if it has
    none. `budget` is for the merge, see there. Raises InputError.
    """
    outputs = [value for source in flow.input_sources[index] if (value := output(source)) != {}]
    if flow.steps[index].merge:
        is_object = len(outputs) == 1 and isinstance(outputs[0], dict)
        return outputs[0] if is_object else merge(outputs, budget)
    return outputs if len(outputs) > 1 else outputs[0] if outputs else {}


_TOO_MANY_STARTS: Final = "more steps would start at once than a run of this flow can start without a task"

_INVOKING = frozenset({StepKind.TASK, StepKind.RESOURCE})
"""The kinds of steps that invoke a task. All others end at once."""


def may_pass(step: Step) -> bool:
    """Return whether a step may end within the transition that starts it."""
    return step.kind not in _INVOKING or step.guard is not None or step.iterate


@lru_cache(maxsize=4096)
def _guard(text: str) -> Guard:
    return parse_guard(text)


class TransitionBuilder:
    """Builds a transition: holds the state before it, which stays, and over that what has changed so far."""

    def __init__(
        self,
        flow: Flow,
        progress: Progress,
        outputs: Mapping[int, Json],
        budget: LookBudget | None = None,
    ) -> None:
        self.flow = flow
        self.progress = progress
        self.outputs = outputs
        self.transition = Transition(state=progress.state)
        self._meter = PayloadMeter()
        self._budget = budget or LookBudget()
        self._start_count = 0
        self._has_gathered = False
        self._ended: deque[int] = deque()
        self._missing_steps: set[int] = set()
        self._missing_outputs: set[int] = set()

    def result(self) -> Transition | LoadRequest:
        """Return the transition, or a request for what was missing while it was built: then it is void."""
        if self._missing_steps or self._missing_outputs:
            return LoadRequest(frozenset(self._missing_steps), frozenset(self._missing_outputs))
        self.transition.input_bytes = self._meter.input_bytes
        return self.transition

    def propagate(self) -> None:
        """Activate the successors of all steps that have ended, until only tasks run. If nothing runs then,
        finish the workflow, unless it has failed or was terminated."""
        while self._ended:
            for successor in self.flow.successors[self._ended.popleft()]:
                self.activate(successor)
        transition = self.transition
        if transition.state is WorkflowState.RUNNING and self.progress.active + transition.active == 0:
            transition.state = WorkflowState.FINISHED
            transition.facts.append(Fact(None, FactKind.FINISHED))

    def activate(self, index: int) -> None:
        """Give a step an activation, and start it if it then has enough of them and the workflow runs."""
        self._adjust(index, waiting=1)
        if self.transition.state is WorkflowState.RUNNING:
            self.start_if_ready(index)

    def start_if_ready(self, index: int) -> bool:
        """Start a step if it has enough activations and its inputs are loaded; return whether it was so."""
        threshold = self.flow.thresholds[index]
        if self._step(index).waiting < threshold or not self._has_inputs(index):
            return False
        self._adjust(index, waiting=-threshold)
        self._start_count += 1
        if self._start_count > MAX_STARTS and self._start_count > MAX_STARTS + 4 * self.flow.size:
            self.fail(self.flow.steps[index], _TOO_MANY_STARTS)
        else:
            self._start(self.flow.steps[index])
        return True

    def stop(self, index: int, invocation: Invocation, invocations: int = 1) -> None:
        """Count so many invocations of a step as ended: its attempt is over. Set the step's retries to 0."""
        before = self._step(index)
        self.transition.over.append(Attempt(index, before.attempt, invocation))
        self._adjust(index, active=-invocations, retries=0, earlier=before.earlier + invocations)
        self.transition.active -= invocations

    def cancel(self, index: int, invocations: int = 1) -> None:
        """End so many invocations of a step whose task still runs, with one cancel-task event for them (none
        for an iterated step): all have the number of the latest attempt. Does not give the activations
        back."""
        step = self.flow.steps[index]
        invocation = self.flow.invocation_of(index)
        if not step.iterate:  # its items are cancelled one by one
            self.transition.cancels.append(Attempt(index, self._step(index).attempt, invocation))
        self.stop(index, invocation, invocations)

    def retry(
        self, step: Step, invocation: Invocation, reason: str, *, delay: float = 0.0, retries: int = 0
    ) -> None:
        """Add another attempt to the transition, in `delay` seconds, after `stop` or `cancel`.

        `reason` says why the last one ended; `retries` becomes the step's count of retries. Fails the step if
        its input cannot be made; requests outputs that it needs and that are not loaded.
        """
        if not self._has_inputs(step.index):
            return
        self.transition.reason = reason
        self._add_fact(step.index, FactKind.RETRIED)
        try:
            input = self._gather(step)
        except InputError as error:  # a loop has changed the outputs before this step
            self.fail(step, str(error))
            return
        self._start_attempt(step, invocation, input, delay=delay, retries=retries)

    def return_activations(self, index: int, starts: int = 1) -> None:
        """Give a step back the activations that so many starts of it have used."""
        self._adjust(index, waiting=starts * self.flow.thresholds[index])

    def use_activations(self, index: int) -> None:
        """Use up the activations that were given back to a step, without starting it."""
        self._adjust(index, waiting=-self.flow.thresholds[index])

    def complete(self, step: Step, kind: FactKind, output: Json) -> None:
        """End a step with this output and a fact of this kind; `propagate` then activates its successors. If
        it is a subflow, nothing inside it starts, and its end has the same output."""
        if self._step(step.index).earlier:
            self._adjust(step.index, earlier=0)
        if step.kind is StepKind.SUBFLOW:
            self._add_fact(step.index, kind)
            self.transition.outputs[step.index] = output
            self._count(kind)
            self._end(step.end, FactKind.PASSED, output)
        else:
            self._end(step.index, kind, output)

    def fail(self, step: Step, reason: str) -> None:
        """Fail a step, and with it the workflow if that runs. The step gets its activations back."""
        transition = self.transition
        self.return_activations(step.index)
        self._add_fact(step.index, FactKind.FAILED)
        transition.failed += 1
        transition.reason = reason
        if transition.state is WorkflowState.RUNNING:
            transition.state = WorkflowState.FAILED
            transition.facts.append(Fact(None, FactKind.FAILED))

    def mark_simulated(self, index: int) -> None:
        """Note in the facts of a step so far that no worker has done its task."""
        for fact in self.transition.facts:
            if fact.index == index:
                fact.is_simulated = True
                self.transition.simulated += 1

    def check_output(self, outputs: list[Json]) -> str | None:
        """Return why the list of the outputs of all items is too big to be an output, or None."""
        try:
            self._meter.check(outputs)
        except TooBig as error:
            return f"its output {error}"
        return None

    def _start(self, step: Step) -> None:
        """Start a step: gather its input, evaluate its guard, then invoke its task or end it."""
        if step.kind is StepKind.LITERAL:
            self._end(step.index, FactKind.PASSED, {} if step.value is None else step.value)
            return
        try:
            input = self._gather(step)
            may_run = step.guard is None or _guard(step.guard).holds(input, self._budget)
        except InputError as error:
            self.fail(step, str(error))
            return
        except GuardError as error:
            self.fail(step, error.message)
            return
        if not may_run:
            self.complete(step, FactKind.SKIPPED, input)
        elif step.iterate:
            self._start_items(step, input)
        elif step.kind in _INVOKING:
            self._start_attempt(step, self.flow.invocation_of(step.index), input)
        else:
            self._end(step.index, FactKind.PASSED, input)

    def _start_items(self, step: Step, input: Json) -> None:
        items = input if isinstance(input, list) else [input]
        if items:
            self._start_attempt(step, self.flow.invocation_of(step.index), items)
        else:
            self.complete(step, FactKind.PASSED, [])

    def _start_attempt(
        self, step: Step, invocation: Invocation, input: Json, *, delay: float = 0.0, retries: int = 0
    ) -> None:
        progress = self._adjust(step.index, active=1, attempt=1, retries=retries)
        self.transition.active += 1
        if not delay:
            self._add_fact(step.index, FactKind.STARTED)
        tries = progress.earlier + 1
        self.transition.starts.append(Start(step.index, invocation, input, progress.attempt, delay, tries))

    def _end(self, index: int, kind: FactKind, output: Json) -> None:
        """End a step with this output; `propagate` activates its successors."""
        self.transition.outputs[index] = output
        self._add_fact(index, kind)
        self._count(kind)
        self._ended.append(index)

    def _gather(self, step: Step) -> Json:
        """Return the input of a step. Raises InputError if there is none, or it is too big."""
        input = gather_input(self.flow, self._output, step.index, self._budget)
        is_new = isinstance(input, list) and len(self.flow.input_sources[step.index]) > 1
        try:
            if is_new:
                self._meter.check(input)
            if is_new or self._has_gathered:  # the first output that is passed on may have any size
                self._meter.add_input(input)
        except TooBig as error:
            raise InputError(f"its input {error}") from None
        self._has_gathered = True
        return input

    def _add_fact(self, index: int, kind: FactKind) -> None:
        self.transition.facts.append(Fact(index, kind, self._step(index).attempt))

    def _count(self, kind: FactKind) -> None:
        if kind is FactKind.SKIPPED:
            self.transition.skipped += 1
        else:
            self.transition.done += 1

    def _step(self, index: int) -> StepProgress:
        changed = self.transition.steps.get(index)
        if changed is not None:
            return changed
        before = self.progress.step(index)
        if before is None:
            # From now on `result` returns a LoadRequest, so a wrong guess of the progress does no harm.
            self._missing_steps.add(index)
            return UNTOUCHED
        return before

    def _adjust(
        self,
        index: int,
        *,
        waiting: int = 0,
        active: int = 0,
        attempt: int = 0,
        retries: int | None = None,
        earlier: int | None = None,
    ) -> StepProgress:
        """Change the progress of a step by these numbers; `retries` and `earlier` replace the former ones.
        Return it as it is then."""
        before = self._step(index)
        changed = self.transition.steps[index] = StepProgress(
            before.waiting + waiting,
            before.active + active,
            before.attempt + attempt,
            before.retries if retries is None else retries,
            before.earlier if earlier is None else earlier,
        )
        return changed

    def _has_inputs(self, index: int) -> bool:
        missing = [source for source in self.flow.input_sources[index] if not self._has_output(source)]
        self._missing_outputs.update(missing)
        return not missing

    def _output(self, index: int) -> Json:
        outputs = self.transition.outputs if index in self.transition.outputs else self.outputs
        return outputs.get(index, {})

    def _has_output(self, index: int) -> bool:
        return self.progress.is_whole or index in self.outputs or index in self.transition.outputs
