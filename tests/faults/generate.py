"""Makes a random flow for each number of a workflow, and says what must become of it.

Seed and number decide everything, so a failure can be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.faults.oracle import Expectation, expect
from tests.faults.syntax import Call, Guard, Program, Scope, Source, Statement, Step, Value, number_steps

MAX_EXECUTIONS: Final = 40
MAX_TEXT: Final = 20_000
"""The most executions of tasks, and the most characters of all inputs but the large ones, in a workflow."""

INPUTS: Final[list[Value]] = [
    {},
    {"yes": 1},
    [],
    [1, [2, 3], {"yes": 1}],
    [{"n": 1}, {}, {"n": 3}],
    5,
    None,
    "x",
]

LITERALS: Final[list[Value]] = [{}, {"yes": 0}, [], [1, [2], {"n": 4}], [{"yes": 1}, {"n": 1}]]

SHARED_LATCHES: Final = 3

ORDINARY: Final = "ordinary"
PRUNED: Final = "pruned"
"""Names of flows: those that are paused by it, and those whose workflows are pruned."""

GROUPS: Final = tuple(f"g{number}" for number in range(8))
"""Values of the label `group`, by which bulk operations select workflows."""


def _stored_flows() -> dict[str, Program]:
    pair = Step([Call("many:pair")], prefix="* ")
    merge = Step([Call("one:mark"), Call("many:echo")])
    delay = Step([Call("wait:delay", {"duration": 0.1})])
    inner = Program(Scope([Statement([Step([Call("many:echo")]), pair])]), ["@flow inner_flow"])
    outer = Program(
        Scope([Statement([merge, Step(scope=inner.scope, stored="inner_flow"), delay])]), ["@flow outer_flow"]
    )
    for program in (inner, outer):
        number_steps(program)
    return {"inner_flow": inner, "outer_flow": outer}


STORED_FLOWS: Final = _stored_flows()
"""The flows that other flows call, by name."""


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_yes(value: Value) -> bool:
    if isinstance(value, dict):
        return "yes" in value or any(map(_has_yes, value.values()))
    return isinstance(value, list) and any(map(_has_yes, value))


GUARDS: Final = (
    Guard("$.yes", lambda value: isinstance(value, dict) and "yes" in value),
    Guard("$[*]", lambda value: isinstance(value, dict | list) and bool(value)),
    Guard("$[0]", lambda value: isinstance(value, list) and bool(value)),
    Guard("$..yes", _has_yes),
    Guard(
        "$[?(@.n > 1)]",
        lambda value: isinstance(value, dict) and _is_number(value.get("n")) and value["n"] > 1,
    ),
    Guard(
        "$[?(not @.yes)]",
        lambda value: not (isinstance(value, dict) and "yes" in value),
    ),
)

RETRY: Final = {"times": 1000, "delay": "50ms", "backoff": 1}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What flows refer to: a folder for resources, and the URL of a server for requests."""

    folder: str
    server: str


@dataclass(slots=True)
class Plan:
    """A workflow to be run.

    events     the events that it waits for: kind, fields, how many
    turns      of a loop: the attempts of its first task; else 0
    broken     whether it fails until it is mended
    labels     what bulk operations find it by
    """

    number: int
    program: Program
    input: Value
    expectation: Expectation
    events: list[tuple[str, dict[str, Value], int]] = field(default_factory=list)
    turns: int = 0
    broken: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_pruned(self) -> bool:
        """Whether it may be archived and deleted once it has finished."""
        return f"@flow {PRUNED}" in self.program.declarations

    @property
    def flow_name(self) -> str:
        """The name of its flow."""
        first = self.program.declarations[0] if self.program.declarations else ""
        return first.removeprefix("@flow ") if first.startswith("@flow ") else ""

    @property
    def leaves_nothing(self) -> bool:
        """Whether another workflow can follow under the same id, once this one is terminated and deleted: a
        latch would keep its count, and a foreign worker does not say of which workflow its answer is."""
        bases = {call.base for call, _ in self.program.calls()}
        return not self.is_pruned and bases.isdisjoint(("wait:acquire", "far:echo"))

    @property
    def id(self) -> str:
        """The id of the workflow."""
        return f"workflow:f{self.number}"


def make_plan(seed: int, number: int, surroundings: Surroundings) -> Plan:
    """Return the workflow of this number."""
    random = Random(f"{seed}/{number}")
    while True:
        generator = _Generator(random, number, surroundings)
        program = generator.make_loop() if random.randrange(20) == 0 else generator.make_program()
        number_steps(program)
        input = random.choice(INPUTS)
        expectation = expect(program, input)
        if not _is_acceptable(program, expectation):
            continue
        plan = Plan(number, program, input, expectation, turns=generator.turns)
        if not plan.turns and not expectation.has_failed and random.randrange(2):
            plan.labels = {"group": random.choice(GROUPS)}
        for call, _ in program.calls():
            plan.broken |= call.base.endswith(":broken")
        for kind, fields in generator.events:
            count = sum(
                execution.call.effective.get("event_id") == fields["id"]
                for execution in expectation.executions.values()
            )
            plan.events.append((kind, fields, count))
        return plan


def _is_acceptable(program: Program, expectation: Expectation) -> bool:
    executions = expectation.executions.values()
    if not executions or len(executions) > MAX_EXECUTIONS:
        return False
    texts = [json.dumps(each.input) for each in executions if not each.call.base.endswith(":small")]
    if sum(map(len, texts)) > MAX_TEXT:
        return False
    bases = {call.base for call, _ in program.calls()}
    if program.loops and expectation.has_failed:  # it would not turn
        return False
    # One that must fail would keep its latches, and could not be told from one that is to be mended.
    unfit = {"wait:acquire", "many:broken", "one:broken"}
    return not (expectation.has_failed and bases & unfit)


class _Generator:
    """Makes one flow. `events` are those that it waits for; `turns` is set by `make_loop`."""

    def __init__(self, random: Random, number: int, surroundings: Surroundings) -> None:
        self.random = random
        self.events: list[tuple[str, dict[str, Value]]] = []
        self.turns = 0
        self._number = number
        self._surroundings = surroundings
        self._last_name = 0
        self._in_loop = False

    def make_program(self) -> Program:
        """Return a flow with a declared subflow and aliases, which it may use or not."""
        scope = self._scope(0)
        declarations = [
            "@task inner { many:echo -> * many:pair }",
            '@task alias = next ({"value": {"k": 1}})',
            '@task next = one:emit ({"more": 2})',
        ]
        is_open = not scope.statements[-1].leads and not scope.statements[-1].sink
        merges = is_open and len(scope.statements) == 1 and self._chance(10)
        name = self.random.choice(("", "", "", ORDINARY, ORDINARY, PRUNED))
        names = [f"@flow {name}"] if name else []
        return Program(scope, [*names, *declarations], merges_output=merges)

    def make_loop(self) -> Program:
        """Return a flow that turns until its first task refuses to."""
        self._in_loop = True
        self.turns = self.random.randint(3, 8)
        turn = Step([Call("one:turn", {"until": self.turns})])
        steps = [turn, *(step for _ in range(self.random.randint(1, 3)) for step in self._steps(2))]
        return Program(Scope([Statement(steps)]), loops=True)

    def _chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def _name(self) -> str:
        self._last_name += 1
        return f"{self._number}-{self._last_name}"

    def _scope(self, depth: int) -> Scope:
        statements = [self._statement(depth) for _ in range(self.random.choice((1, 1, 2, 2, 3)))]
        if self._chance(4):
            for statement in self.random.sample(statements, self.random.randint(1, len(statements))):
                if not statement.sink:
                    statement.leads = True
            if any(statement.leads for statement in statements):
                followers = [
                    self._statement(depth, follows=True) for _ in range(self.random.choice((1, 1, 2)))
                ]
                statements += followers
        return Scope(statements)

    def _statement(self, depth: int, *, follows: bool = False) -> Statement:
        steps = [step for _ in range(self.random.randint(1, 3)) for step in self._steps(depth)]
        statement = Statement(steps, follows=follows)
        if not follows and self._chance(5):
            value = self.random.choice(LITERALS)
            statement.source = Source(value)
            if self._chance(3):
                number = LITERALS.index(value)
                statement.source.uri = f"file://{self._surroundings.folder}/literal-{number}.json"
        if self._chance(25):
            statement.sink = f"file://{self._surroundings.folder}/stored/{self._name()}.json"
        return statement

    def _steps(self, depth: int) -> list[Step]:
        """Return one step, or several that belong together."""
        choices: list[tuple[int, Callable[[int], list[Step]]]] = [
            (14, self._worker_step),
            (2, self._delay),
            (2, self._latch),
            (2, self._attempts),
            (1, self._built_in),
        ]
        if depth < 2:
            choices.append((4, self._subflow))
        if not self._in_loop:
            choices += [(2, self._event), (1, self._large), (1, self._declared), (2, self._stored)]
        weights = [weight for weight, _ in choices]
        return self.random.choices([make for _, make in choices], weights)[0](depth)

    def _worker_step(self, depth: int) -> list[Step]:
        calls = [self._worker_call() for _ in range(self.random.choice((1, 1, 1, 1, 2)))]
        return [self._dressed(Step(calls))]

    def _worker_call(self) -> Call:
        groups = (
            ("one", "many") if self._in_loop else ("one", "one", "one", "many", "many", "many", "far", "sim")
        )
        group = self.random.choice(groups)
        words = ("echo",) if group in ("far", "sim") else ("echo", "echo", "mark", "pair", "emit", "none")
        word = self.random.choice(words)
        parameters: dict[str, Any] = {}
        if word == "emit":
            parameters["value"] = self.random.choice(({"yes": 1}, [1, 2], 7, None, "text", {"n": 2}))
        if self._chance(8):
            parameters["lfr"] = {"timeout": "30s", "retry": RETRY}
        return Call(f"{group}:{word}", parameters)

    def _dressed(self, step: Step) -> Step:
        """Give a step a prefix and a guard, or none."""
        step.prefix = self.random.choice(("", "", "", "* ", "> "))
        step.guard = self.random.choice(GUARDS) if self._chance(5) else None
        return step

    def _subflow(self, depth: int) -> list[Step]:
        return [self._dressed(Step(scope=self._scope(depth + 1)))]

    def _declared(self, depth: int) -> list[Step]:
        if self._chance(2):
            merged = {"value": {"k": 1}, "more": 2}
            return [self._dressed(Step([Call("alias", base="one:emit", effective=merged)]))]
        pair = Step([Call("many:pair")], prefix="* ")
        scope = Scope([Statement([Step([Call("many:echo")]), pair])])
        return [self._dressed(Step(scope=scope, declared="inner"))]

    def _stored(self, depth: int) -> list[Step]:
        name = self.random.choice(list(STORED_FLOWS))
        return [self._dressed(Step(scope=STORED_FLOWS[name].scope, stored=name))]

    def _delay(self, depth: int) -> list[Step]:
        duration = self.random.choice((0, 0.1, 0.3, "200ms", 1))
        step = Step([Call("wait:delay", {"duration": duration})])
        step.prefix = self.random.choice(("", "* "))
        return [step]

    def _event(self, depth: int) -> list[Step]:
        """Return a wait for an event of its own, with or without fields; or for one that never comes."""
        name = self._name()
        parameters: dict[str, Any] = {"event": f"go-{name}"}
        effective: dict[str, Any] = {"event_id": name}
        fields: dict[str, Any] = {"id": name}
        match self.random.randrange(4):
            case 0:
                parameters |= {"timeout": "300ms", "on_timeout": "continue"}
                return [Step([Call("wait:event", parameters)])]
            case 1:
                parameters = {"event": "go", "match": {"id": name}, "receipt": False}
            case 2:
                fields["output"] = effective["expected_output"] = {"n": 2}
        self.events.append((parameters["event"], fields))
        step = Step([Call("wait:event", parameters, effective={**parameters, **effective})])
        step.prefix = self.random.choice(("", "", "* "))
        return [step]

    def _latch(self, depth: int) -> list[Step]:
        """Return steps between acquire and release, then perhaps a countdown."""
        is_shared = self._chance(2)
        name = f"shared-{self.random.randrange(SHARED_LATCHES)}" if is_shared else f"own-{self._name()}"
        acquire, release, countdown = (
            Step([Call(f"wait:{word}", {"name": name})]) for word in ("acquire", "release", "countdown")
        )
        steps = [acquire, *self._worker_step(depth), release]
        steps[1].prefix = ""
        return steps if is_shared or self._chance(2) else [*steps, countdown]

    def _attempts(self, depth: int) -> list[Step]:
        """Return a step with more than one attempt."""
        group = self.random.choice(("one", "many"))
        words = ("flaky",) if self._in_loop else ("flaky", "flaky", "slow", "broken", "nap")
        match self.random.choice(words):
            case "flaky":
                times = self.random.randint(1, 2)
                options = {"retry": {"times": times + 1, "delay": "50ms"}}
                call = Call(f"{group}:flaky", {"times": times, "lfr": options})
            case "slow":
                call = Call("many:slow", {"lfr": {"timeout": "700ms", "retry": RETRY}})
            case "broken":
                call = Call(f"{group}:broken")
            case _:
                call = Call("many:nap", {"seconds": 0.3})
        return [Step([call], prefix=self.random.choice(("", "", "* ")) if call.base != "many:slow" else "")]

    def _large(self, depth: int) -> list[Step]:
        size = self.random.choice((100_000, 300_000, 1_500_000))
        return [Step([Call("many:big", {"size": size})]), Step([Call("one:small")])]

    def _built_in(self, depth: int) -> list[Step]:
        if self._chance(2):
            return [Step([Call("redis:echo", {"args": ["hello"], "key": "echoed"})])]
        url = f"{self._surroundings.server}/get"
        parameters = {"url": url, "output_mode": "response_json", "retries": 2, "timeout": 5}
        return [Step([Call("request:get", {**parameters, "lfr": {"retry": RETRY}})])]
