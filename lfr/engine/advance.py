"""THE ALGORITHM: what begins a workflow, and what one ended step changes in it.

When a step ends, each of its successors gets an activation. A step that has received as many as its
threshold uses them up and starts: it is given its input, which is merged if `>` says so and shown to
its guard. A task or a resource then runs until its end-task comes; a start, an end, a literal and a
subflow pass, that is they end at once and activate their own successors, within the same transition. A
step whose guard says no is skipped: its input is its output, and its successors go on. When nothing runs
any more, the workflow has finished.

A step that is iterated runs as a task does: it starts with the list of its items and ends with the
list of their outputs. That each item is a workflow of its own is no concern of this algorithm.

A task that fails is tried again if its step says so. Else the step gives its activations back to
itself, as if it had never started, and from then on nothing starts: a restart has only to start what has
activations enough.

The work for one ended step depends on the steps that it touches, never on the size of the flow. What
it must know of those may not have been loaded; then the answer is `Needed`, and nothing has changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from lfr.engine.payload_limits import PayloadMeter, TooBig
from lfr.engine.progress import UNTOUCHED, Progress, StepProgress
from lfr.engine.step_inputs import WORKFLOW_INPUT, InputError, gather_input, input_sources, normalize_output
from lfr.engine.transition import Cancel, Fact, FactKind, Start, Transition
from lfr.flow import Flow, Step, StepKind
from lfr.guard import Guard, GuardError, parse_guard
from lfr.states import WorkflowState
from lfr.tasks.step_options import is_retryable, parse_step_options, retry_delay
from lfr.values.json import Json


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step's task has ended, as its worker says.

    output   what it gives, if it succeeded
    failure  why it failed, or None if it succeeded
    attempt  which attempt the worker speaks of, or None if it does not say
    chance   from 0 to 1: what the jitter of a retry goes by
    """

    index: int
    output: Json = None
    failure: str | None = None
    attempt: int | None = None
    chance: float = 0.5


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Cannot say yet: the progress of these steps and these outputs are to be loaded first."""

    steps: frozenset[int]
    outputs: frozenset[int]


@dataclass(frozen=True, slots=True)
class StaleResult:
    """Nothing changes, and why: a duplicate, or the end of an attempt that no longer counts."""

    reason: str


def begin(flow: Flow, input: Json) -> Transition:
    """The first transition of a workflow, or of the part of a flow that runs for an item: its first step
    is activated. `input` is an object or a list; an item may be any value."""
    draft = TransitionBuilder(flow, Progress(is_whole=True), {WORKFLOW_INPUT: input})
    draft.transition.outputs[WORKFLOW_INPUT] = input
    draft.activate(flow.first)
    draft.settle()
    return draft.transition


def advance(
    flow: Flow, progress: Progress, outputs: Mapping[int, Json], ended: StepResult
) -> Transition | LoadRequest | StaleResult:
    """What the end of one task changes. Neither `progress` nor `outputs` is touched.

    `outputs` holds those that are known; with a `progress` that is not whole, one that is not there
    has not been loaded. Raises IndexError if the flow has no such step.
    """
    step = flow.steps[ended.index]
    known = progress.step(ended.index)
    if known is None:
        return _needed(flow, progress, {ended.index}, frozenset())
    if known.active == 0:
        return StaleResult("the step does not run")
    if ended.attempt is not None and ended.attempt != known.attempt:
        return StaleResult(f"attempt {ended.attempt} is over, attempt {known.attempt} runs")
    draft = TransitionBuilder(flow, progress, outputs)
    draft.stop(ended.index)
    if step.iterate and ended.failure is None:
        ended = replace(ended, failure=draft.refusal(ended.output))
    if ended.failure is None:
        draft.leave(step, FactKind.ENDED, normalize_output(ended.output))
    elif (delay := _retry_delay(step, known, ended)) is not None and progress.state is WorkflowState.RUNNING:
        draft.try_again(step, ended.failure, delay, known.retries + 1)
    else:
        draft.fail(step, ended.failure)
    draft.settle()
    return draft.result()


def _retry_delay(step: Step, known: StepProgress, ended: StepResult) -> float | None:
    """In how many seconds a task that has failed is tried again; None if it is not. Of an iterated step,
    its items have been tried again before."""
    retry = parse_step_options(step.parameters).retry
    if retry is None or step.iterate or known.retries >= retry.times:
        return None
    if not is_retryable(retry, ended.failure or ""):
        return None
    return retry_delay(retry, known.retries + 1, ended.chance)


LOOK_AHEAD = 16
"""How many steps `touched` names at first; a transition that passes through more asks for twice as many."""


def touched(flow: Flow, index: int, limit: int) -> frozenset[int]:
    """The steps whose progress the end of step `index` may need: itself, its successors, and, through
    those that can end at once, theirs; `limit` steps of these at most go on."""
    seen = {index, _exit(flow.steps[index])}
    queue = deque([_exit(flow.steps[index])])
    while queue and limit > 0:
        limit -= 1
        for successor in flow.successors[queue.popleft()]:
            if successor not in seen:
                seen.add(successor)
                step = flow.steps[successor]
                if step.kind not in _RUNNING or step.guard is not None or step.iterate:
                    queue.append(_exit(step))
                if step.kind is StepKind.SUBFLOW and (step.guard is not None or step.iterate):
                    queue.append(step.end)
                    seen.add(step.end)
    return frozenset(seen)


_RUNNING = frozenset({StepKind.TASK, StepKind.RESOURCE})
"""The kinds of steps that somebody does. All others end at once."""


def _exit(step: Step) -> int:
    """The step whose end activates what follows: of a subflow that is iterated, its end."""
    return step.end if step.kind is StepKind.SUBFLOW and step.iterate else step.index


def _needed(flow: Flow, progress: Progress, steps: set[int], outputs: frozenset[int]) -> LoadRequest:
    ahead = max(LOOK_AHEAD, 2 * len(progress.steps))
    around = steps.union(*(touched(flow, index, ahead) for index in steps))
    return LoadRequest(frozenset(index for index in around if progress.step(index) is None), outputs)


@lru_cache(maxsize=4096)
def _guard(text: str) -> Guard:
    return parse_guard(text)


class TransitionBuilder:
    """A transition in the making: what is known, and over it what has changed so far."""

    def __init__(self, flow: Flow, progress: Progress, outputs: Mapping[int, Json]) -> None:
        self.flow = flow
        self.progress = progress
        self.outputs = outputs
        self.transition = Transition(state=progress.state)
        self._sizes = PayloadMeter()
        self._has_gathered = False
        self._ended: deque[int] = deque()
        self._needed_steps: set[int] = set()
        self._needed_outputs: set[int] = set()

    def result(self) -> Transition | LoadRequest:
        """The transition, or what is missing to make it."""
        if not self._needed_steps and not self._needed_outputs:
            self.transition.input_bytes = self._sizes.input_bytes
            return self.transition
        return _needed(self.flow, self.progress, self._needed_steps, frozenset(self._needed_outputs))

    def settle(self) -> None:
        """Activate the successors of all that has ended, until only tasks are left that run."""
        while self._ended:
            for successor in self.flow.successors[self._ended.popleft()]:
                self.activate(successor)
        change = self.transition
        if change.state is WorkflowState.RUNNING and self.progress.active + change.active == 0:
            change.state = WorkflowState.FINISHED
            change.facts.append(Fact(None, FactKind.FINISHED))

    def activate(self, index: int) -> None:
        """Give a step an activation; if it then has enough of them, it starts."""
        self._adjust(index, waiting=1)
        if self.transition.state is WorkflowState.RUNNING:
            self.start_if_ready(index)

    def start_if_ready(self, index: int) -> bool:
        """Start a step if it has activations enough; say whether it had."""
        threshold = self.flow.thresholds[index]
        if self._step(index).waiting < threshold or not self._has_input(index):
            return False
        self._adjust(index, waiting=-threshold)
        self._start(self.flow.steps[index])
        return True

    def stop(self, index: int) -> None:
        """One invocation of a step runs no longer."""
        self._adjust(index, active=-1, retries=0)
        self.transition.active -= 1

    def cancel(self, index: int) -> None:
        """One invocation of a step runs no longer, and its worker is to hear of it."""
        if not self.flow.steps[index].iterate:  # its items are stopped each by itself
            self.transition.cancels.append(Cancel(index, self._step(index).attempt))
        self.stop(index)

    def try_again(self, step: Step, reason: str, delay: float, retries: int) -> None:
        """A step whose attempt has failed, and was stopped, starts anew in so many seconds."""
        if not self._has_input(step.index):
            return
        change = self.transition
        change.reason = reason
        change.facts.append(Fact(step.index, FactKind.RETRIED, self._step(step.index).attempt))
        try:
            given = self._gather(step)
        except InputError as error:  # a loop has changed what comes before it
            self.fail(step, str(error))
            return
        self._start_task(step, given, delay=delay, retries=retries)

    def put_back(self, index: int) -> None:
        """A step gets the activations back that it has used, as if it had never started."""
        self._adjust(index, waiting=self.flow.thresholds[index])

    def take_back(self, index: int) -> None:
        """The activations that were put back are used up after all."""
        self._adjust(index, waiting=-self.flow.thresholds[index])

    def end(self, index: int, what: FactKind, output: Json) -> None:
        """A step has ended with this output; its successors are activated by `settle`."""
        change = self.transition
        change.outputs[index] = output
        change.facts.append(Fact(index, what, self._step(index).attempt))
        self._count(what)
        self._ended.append(index)

    def leave(self, step: Step, what: FactKind, output: Json) -> None:
        """A step has ended with all that is inside of it: of a subflow nothing starts any more, and its
        end has the same output."""
        if step.kind is StepKind.SUBFLOW:
            self.transition.facts.append(Fact(step.index, what, self._step(step.index).attempt))
            self.transition.outputs[step.index] = output
            self._count(what)
            self.end(step.end, FactKind.PASSED, output)
        else:
            self.end(step.index, what, output)

    def fail(self, step: Step, reason: str) -> None:
        """A step has failed: the workflow has, and the step waits for a restart."""
        change = self.transition
        self.put_back(step.index)
        change.facts.append(Fact(step.index, FactKind.FAILED, self._step(step.index).attempt))
        change.failed += 1
        change.reason = reason
        if change.state is WorkflowState.RUNNING:
            change.state = WorkflowState.FAILED
            change.facts.append(Fact(None, FactKind.FAILED))

    def _start(self, step: Step) -> None:
        """A step starts: gather, merge, ask the guard, act."""
        if step.kind is StepKind.LITERAL:
            self.end(step.index, FactKind.PASSED, normalize_output(step.value))
            return
        try:
            given = self._gather(step)
            may_run = step.guard is None or _guard(step.guard).holds(given)
        except InputError as error:
            self.fail(step, str(error))
            return
        except GuardError as error:
            self.fail(step, error.message)
            return
        if not may_run:
            self.leave(step, FactKind.SKIPPED, given)
        elif step.iterate:
            self._start_items(step, given)
        elif step.kind in _RUNNING:
            self._start_task(step, given)
        else:
            self.end(step.index, FactKind.PASSED, given)

    def _gather(self, step: Step) -> Json:
        """The input of a step. Raises NoInput."""
        given = gather_input(self.flow, self._output, step.index)
        is_made = isinstance(given, list) and len(input_sources(self.flow, step.index)) > 1
        try:
            if is_made:
                self._sizes.check(given)
            if is_made or self._has_gathered:  # one output that goes to one step needs no look
                self._sizes.hand_on(given)
        except TooBig as error:
            raise InputError(f"its input {error}") from None
        self._has_gathered = True
        return given

    def refusal(self, output: Json) -> str | None:
        """Why the list of the outputs of all items cannot be an output; None if it can."""
        try:
            self._sizes.check(output)
        except TooBig as error:
            return f"its output {error}"
        return None

    def _start_items(self, step: Step, given: Json) -> None:
        items = given if isinstance(given, list) else [given]
        if items:
            self._start_task(step, items)
        else:
            self.leave(step, FactKind.PASSED, [])

    def _count(self, what: FactKind) -> None:
        if what is FactKind.SKIPPED:
            self.transition.skipped += 1
        else:
            self.transition.done += 1

    def _start_task(self, step: Step, given: Json, *, delay: float = 0.0, retries: int = 0) -> None:
        self._adjust(step.index, active=1, attempt=1, retries=retries)
        attempt = self._step(step.index).attempt
        self.transition.active += 1
        if not delay:
            self.transition.facts.append(Fact(step.index, FactKind.STARTED, attempt))
        self.transition.starts.append(Start(step.index, given, attempt, delay))

    def _step(self, index: int) -> StepProgress:
        changed = self.transition.steps.get(index)
        if changed is not None:
            return changed
        known = self.progress.step(index)
        if known is None:
            # This draft is not going to be used: what follows from an untouched step does no harm.
            self._needed_steps.add(index)
            return UNTOUCHED
        return known

    def _adjust(
        self, index: int, *, waiting: int = 0, active: int = 0, attempt: int = 0, retries: int | None = None
    ) -> None:
        """Change the progress of a step by so much; `retries` is what they are from now on."""
        was = self._step(index)
        self.transition.steps[index] = StepProgress(
            was.waiting + waiting,
            was.active + active,
            was.attempt + attempt,
            was.retries if retries is None else retries,
        )

    def _has_input(self, index: int) -> bool:
        missing = [source for source in input_sources(self.flow, index) if not self._has_output(source)]
        self._needed_outputs.update(missing)
        return not missing

    def _output(self, index: int) -> Json:
        changed = self.transition.outputs.get(index)
        return self.outputs.get(index) if changed is None else changed

    def _has_output(self, index: int) -> bool:
        return self.progress.is_whole or index in self.outputs or index in self.transition.outputs
