"""The warnings of `check_flow`."""

from __future__ import annotations

import pytest

from lfr.language import Severity, check_flow
from tests.conformance.cases import RIGHT, Case, case_id


def warnings(text: str) -> list[tuple[int, int, str]]:
    checked = check_flow(text)
    assert checked.flow is not None
    assert {diagnostic.severity for diagnostic in checked.diagnostics} <= {Severity.WARNING}
    return [(diagnostic.line, diagnostic.column, diagnostic.message) for diagnostic in checked.diagnostics]


@pytest.mark.parametrize(
    ("text", "location", "message"),
    [
        ("@task a ({}) b", (1, 1), "a is declared and never used"),
        ("@task a { b }; c", (1, 1), "a is declared and never used"),
        ("@task a; @task a = b; a", (1, 10), "a is declared again: this replaces the declaration before"),
        ("@task a { b }; a ([1])", (1, 18), "a is a subflow: no task receives these parameters"),
        ("@task a (- k: 1 -) { b }; a", (1, 9), "a is a subflow: no task receives these parameters"),
        (
            '@task a { b } @task c = a; { c ({"k": 1, "lfr": {}}) }',
            (1, 32),
            "c is a subflow: no task receives these parameters",
        ),
        ("a → b (- retry: {times: 3} -)", (1, 5), "retry is a parameter of the task here"),
        ("a- > b", (1, 1), "the last character of the name a- is -"),
        ("a: b", (1, 1), "the last character of the name a: is :"),
        ("a → :x:; :x: → b", (1, 5), "the last character of the name x: is :"),
        ("wait:delay", (1, 1), "this would fail: wait:delay needs one of the parameters duration and until"),
        (
            "a → * wait:delay (- duration: soon -)",
            (1, 7),
            'this would fail: wait:delay: duration is "soon", but',
        ),
        ("request:post ([1])", (1, 1), "this would fail: request:post: the parameters are [1], but must be"),
        ("request:post (- sync: 1 -)", (1, 1), "this would fail: request:post: sync is 1, but must be true"),
        ("a → <x> (- method: GET -)", (1, 5), 'this would fail: resource:store: method is "GET", but'),
        ("<ftp://h/x> → a", (1, 1), "this would fail: 'ftp://h/x': resources are http, https and files"),
        (
            "a → </x> (- method: POST -)",
            (1, 5),
            'this would fail: resource:store: method is "POST", but must',
        ),
        ("a → <file:///x.bin>", (1, 5), "this would fail: resource:store needs the parameter content-type"),
        ("<https://a:b@h/x> → a", (1, 1), "this would fail: 'h/x': no user or password may stand"),
        ("a (- lfr: {limit: 5} -)", (1, 3), "limit is for a step that is iterated, and this one is not"),
        ("* a|b (- lfr: {limit: 5} -)", (1, 7), "limit is for a step that is iterated, and this one is not"),
        ('a ({"k": 1, "l": {"k": 2}, "k": 3})', (1, 28), 'the key "k" stands in this object already'),
        ('<[{"k": 1}, {"k": [], "\\u006b": {}}]> → a', (1, 23), 'the key "k" stands in this object already'),
        ('@task a ({"": 1, "":2}); a', (1, 18), 'the key "" stands in this object already'),
        (
            'a → </x.json> ({"method": "\\"k", "method":2})',
            (1, 34),
            'the key "method" stands in this object',
        ),
        ("a (- k: 1\n k: 2 -)", (2, 2), 'the key "k" stands in this object already'),
        ("<-\n x: [{k: 1, k: 2}]\n->\n → a", (2, 13), 'the key "k" stands in this object already'),
        ("a (- {1: x, '1': y} -)", (1, 13), 'the key "1" stands in this object already'),
        (
            "a → wait:event (- {event: e, on_timeout: continue} -)",
            (1, 5),
            "on_timeout is for a wait with a timeout, and this one has none",
        ),
        (
            "@task w = wait:event (- on_timeout: fail -); a → w (- event: e -)",
            (1, 50),
            "on_timeout is for a wait with a timeout, and this one has none",
        ),
        ("a :x", (1, 3), "nothing uses :x"),
        (":x a", (1, 1), "nothing leads to :x"),
        ("{ a → b :x → c }", (1, 9), "nothing uses :x"),
        ("a → :x # so\nb; c :x", (1, 5), ":x is the label of the step on the next line"),
        ("<{}> → :x\r\nb; c :x", (1, 8), ":x is the label of the step on the next line"),
        ("a\n  :x → b → :x c", (2, 3), ":x is the label of the step on the line before"),
        ("a → <http://x>{{method:PUT}}", (1, 15), "this subflow is a statement of its own, not"),
        ("? `$[?(@.a or @.b and @.c)]` a", (1, 3), "guard: or binds more closely than and here, at line 1"),
        ("? `$[?(@.a)]` { ? `$[?(@[?(@.a && @ || @.b)])]` a }", (1, 19), "guard: or binds more closely"),
        ("{ a b } → ? `$[?(@.s=0)]` c", (1, 27), "several outputs come here as a list, and to every list"),
        ("a → :m; b → :m; :m → ? `$.s` { c }", (1, 30), "several outputs come here as a list, and to every"),
        ("{ { a b } } → ? `$[?(not @.s)]` c", (1, 33), "several outputs come here as a list, and to every"),
        ("<[1]> → ? `$.s` c", (1, 17), "several outputs come here as a list, and to every list"),
        ("a → :start", (1, 5), "this loop never ends: each turn starts the flow again, with its first input"),
        (
            ":w a → b → :w",
            (1, 4),
            "a can never start: it waits for itself (a -> b -> a); so neither does the flow's",
        ),
        (":w → a → b → :w; c", (1, 6), "a can never start: it waits for itself (a -> b -> a)"),
        (
            "{ :w → a → { b } → :w } → c",
            (1, 8),
            "a can never start: it waits for itself (a -> a subflow -> a)",
        ),
        (":w → { a } → :w; c", (1, 6), "a subflow can never start: it waits for itself"),
    ],
)
def test_a_warning_and_its_location(text: str, location: tuple[int, int], message: str) -> None:
    matching = [text for line, column, text in warnings(text) if (line, column) == location]
    assert any(warning.startswith(message) for warning in matching), warnings(text)


@pytest.mark.parametrize(
    ("text", "location", "message", "hint"),
    [
        (
            "a → wait:dely",
            (1, 5),
            "there is no task wait:dely in lfr",
            "did you mean wait:delay?",
        ),
        (
            "@task x = request:x; x",
            (1, 1),
            "there is no task request:x in",
            "did you mean request:",
        ),
        ("lfr:x", (1, 1), "there is no task lfr:x in lfr", "choose another name"),
        (
            "a → wait:delay (- {duration: 5, durration: 6} -)",
            (1, 5),
            "wait:delay has no parameter durration, and no template of it uses that",
            "did you mean duration?",
        ),
        (
            "wait:delay (- {duration: 5, timeout: 6} -)",
            (1, 1),
            "wait:delay has no parameter",
            "lfr: {timeout:",
        ),
        (
            "redis:GET (- {args: [a], zzz: 1} -)",
            (1, 1),
            "redis:GET has no parameter zzz",
            "it has args, format",
        ),
        (
            "<http://h/x> (- {methode: GET} -) → a",
            (1, 1),
            "resource:load has no parameter methode",
            "method?",
        ),
        (
            "@task w = wait:event (- {event: e, mach: input} -); a → w",
            (1, 57),
            "wait:event has no parameter mach",
            "did you mean match?",
        ),
    ],
)
def test_an_error_of_a_text_that_compiles(
    text: str, location: tuple[int, int], message: str, hint: str
) -> None:
    checked = check_flow(text)
    assert checked.flow is not None and checked.has_errors
    (error,) = (each for each in checked.diagnostics if each.severity is Severity.ERROR)
    assert (error.line, error.column) == location
    assert error.message.startswith(message)
    assert hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        'redis:GET (- {args: ["{parameters[zzz]}"], zzz: 1} -)',
        "request:post (- {url: u, template: '{parameters[\"a b\"][0]}', 'a b': [1]} -)",
        "request:post (- {url: u, template: '{parameters}', whatever: 1} -)",
        "wait:delay (- {duration: 5, lfr: {timeout: 9}} -)",
        "a (- whatever: 1 -)",
    ],
)
def test_parameters_that_templates_use_are_no_error(text: str) -> None:
    assert not check_flow(text).has_errors


@pytest.mark.parametrize("kind", ["start-task", "end-task", "receipt", "end-workflow"])
def test_no_workflow_waits_for_the_events_of_lfr(kind: str) -> None:
    ((_, _, message),) = warnings(f"wait:event (- event: {kind} -)")
    assert message == f"this would fail: wait:event: event is {kind}, which is one of lfr's own events"


def test_steps_that_wait_for_themselves_and_steps_that_wait_for_those() -> None:
    (warning,) = warnings("x → :w a → b → :w; :w → c → d → { e } → <uri>")
    assert warning[2] == (
        "a can never start: it waits for itself (a -> b -> a); so neither do c, d, a subflow, e, "
        "<uri> and 1 more"
    )


def test_an_end_that_no_statement_leads_to() -> None:
    messages = [message for *_, message in warnings("{ a → :s; :s b → c → :s } → d; { :t → e → :t } → f")]
    assert messages == [
        "b can never start: it waits for itself (b -> c -> b); so neither do d, the flow's end",
        "e can never start: it waits for itself; so neither does f",
    ]


def test_loops_that_multiply() -> None:
    messages = [message for *_, message in warnings("a → :start; b → :start")]
    assert [message.split(",")[0] for message in messages] == ["several loops"] * 2


def test_a_warning_within_a_declared_subflow_appears_once() -> None:
    lines = warnings("@task s { a b } @task t { s → ? `$.x` c } t → t")
    assert [(line, column) for line, column, _ in lines] == [(1, 39)]


@pytest.mark.parametrize(
    "text",
    [
        "@task a = b @task b { c }; a",
        "@task a; a :x → b; :x → c",
        '@task a { b }; * a ({"lfr": {"limit": 2}}) → a ()',
        "a → :x;\nb; :x → c",
        "a :x\nb → :y c; d :y; :x e",
        "a → <http://x>; {{b}}",
        "a → <http://x> {b}",
        "? `$[?((@.a or @.b) and @.c)]` a",
        "? `$[?(@.a or (@.b and @.c))]` a",
        "? `$[?(@.a or @.b)][?(@.c and @.d)]` a",
        "{ a b } → > ? `$.s` c",
        "{ a b } → ? `$[*][?(@.s)]` c",
        "{ a b } → ? `$..s` c",
        "{ a b } → ? `$[0]` c",
        "{ a b } → > { c } → ? `$.s` d",
        "{ a b } → c → ? `$.s` d",
        "? `$.s` a; ? `$.s` b",
        "a (- {retry: 3, timeout: 5} -) → b (- retry: {how: often} -) → c (- lfr: {retry: {times: 1}} -)",
        "? `$.s` { a → :x; :x → b → :end } → c",
        "wait:delay (- duration: 1 -) → request:get → redis:hget ([])",
        '<x> → wait:delay ({"duration": 1, "lfr": {"timeout": 9}}) → <y>',
    ],
)
def test_no_warnings(text: str) -> None:
    assert warnings(text) == []


@pytest.mark.parametrize("case", RIGHT, ids=case_id)
def test_every_case_can_be_checked(case: Case) -> None:
    checked = check_flow(case["flow"])
    assert checked.flow is not None
    for diagnostic in checked.diagnostics:
        assert diagnostic.message
