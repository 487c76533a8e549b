"""All errors of a text at once and no false ones; loops that would run without a task."""

from __future__ import annotations

import pytest

from lfr.language import Diagnostic, FlowError, Severity, check_flow, compile_flow


def locations(text: str) -> list[tuple[int, int]]:
    return [(diagnostic.line, diagnostic.column) for diagnostic in check_flow(text).diagnostics]


def test_the_diagnostics_are_those_of_the_compiler() -> None:
    text = "a → → b\n"
    with pytest.raises(FlowError) as caught:
        compile_flow(text, source="x.flow")
    checked = check_flow(text, source="x.flow")
    assert checked.flow is None
    assert checked.diagnostics == caught.value.errors
    assert checked.diagnostics == (
        Diagnostic(
            place="x.flow:1:5",
            line=1,
            column=5,
            message="expected a task or a subflow, found an arrow",
            hint="something is missing before it",
            source_line="a → → b",
            severity=Severity.ERROR,
            end_column=6,
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a → → b; c → ;\nd ( ) → 1", [(1, 5), (1, 14), (2, 9)]),
        ("a → 1\nb\nc 2\nd", [(1, 5), (3, 3)]),
        ("a → 1\n → b → 2\nc → 3", [(1, 5), (3, 5)]),
        ("@job x { a; b → → c }\n@task x =\n@task y { → }\nz → → z", [(1, 1), (3, 1), (3, 11), (4, 5)]),
        ("a { ; b; c }; d → → e", [(1, 5), (1, 19)]),
        ("{ a ]; b → → c", [(1, 5), (1, 12)]),
        ("a }; b → → c", [(1, 3), (1, 10)]),
        ("a → 1\n<u> b\n<{}> c", [(1, 5), (2, 5), (3, 6)]),
        ("a → 1 →\n<u>\nb", [(1, 5)]),
        ("a → 1 →\n:x\nb", [(1, 5)]),
        ("a → 1 |\nb → c", [(1, 5)]),
        ("a → 1\n> b", [(1, 5)]),
        ("a → 1\n  :x → b\n:y → c", [(1, 5)]),
        ("{ :x → a; b } → → c", [(1, 17)]),
        ("{ :x → a }; b → → c", [(1, 3), (1, 17)]),
        ("a → 1\n{ b → 2\n → c } → d → 3\ne", [(1, 5), (2, 7)]),
        ("a → 1\n(x) → b", [(1, 5), (2, 2)]),
        ("a → 1\nb (- k: 1 → c", [(1, 5), (2, 3)]),
        ("a → 1\n@task b = b; :x → b", [(1, 5), (2, 1)]),
        ("a (k: 1) → b\nc → 1", [(1, 4), (2, 5)]),
        ('a ( {"k": ")"} ) → b (\'n)\') → 1', [(1, 5), (1, 23), (1, 31)]),
        ("a → <my file.json>; <b c> → d → 2", [(1, 5), (1, 21), (1, 33)]),
        ("a (k → b\nc) → 1", [(1, 4)]),
        ("a < b → c -> 1", [(1, 3)]),
        ("a → 1\nb (- lfr: {timeout: x} -); c ({})", [(1, 5), (2, 3)]),
    ],
)
def test_after_an_error_parsing_continues_with_the_next_statement(
    text: str, expected: list[tuple[int, int]]
) -> None:
    assert locations(text) == expected


def test_errors_of_all_kinds_are_reported_together() -> None:
    text = (
        "@task a ({})\n@task b ([1])\n@task c = c\n"
        "a → :nobody;\n"
        'b ({"k": 1});\n'
        "d (- lfr: {timeout: soon} -);\n"
        "e → <u> ([1]);\n"
        "? `$.[` f (- [ -)"
    )
    assert locations(text) == [(3, 1), (4, 5), (5, 3), (6, 3), (7, 9), (8, 3), (8, 11)]


def test_a_cycle_of_subflows_is_reported_with_the_errors_around_it() -> None:
    assert locations("@task a { b }\n@task b { a }\na → :x") == [(1, 1), (3, 5)]


def test_an_error_in_step_options_is_reported_at_their_declaration() -> None:
    text = (
        "@task a (- lfr: {timeout: soon} -)\n"
        "@task b (- lfr: {retry: 1} -) { c }\n"
        "@task d = b (- lfr: {timeout: 1} -)\n"
        "a a b d (- lfr: {limit: 0} -); d (- lfr: {timeout: 2} -)"
    )
    assert locations(text) == [(1, 9), (2, 9), (3, 13), (4, 9), (4, 34)]


def test_a_loop_is_checked_only_in_a_text_without_other_errors() -> None:
    assert locations("{ ? `$.a` a } → :start") == [(1, 17)]
    assert locations("{ ? `$.a` a } → :start; b → 1") == [(1, 29)]


@pytest.mark.parametrize(
    "text", ['a → :x; b ({"k": 1) ; :x → c ({})', '{ a → :x; b ({"k": 1) ; :x → c ({"k": 2}) }']
)
def test_labels_inside_a_misread_literal_are_not_reported_as_missing(text: str) -> None:
    assert [diagnostic.message[:5] for diagnostic in check_flow(text).diagnostics] == ["JSON:"]


def test_the_number_of_errors_is_limited() -> None:
    assert len(check_flow("a → 1\n" * 100_000).diagnostics) == 20
    assert len(check_flow("{ a → 1 " * 90).diagnostics) == 1
    assert len(check_flow("a → 1 " + "b " * 200_000 + "\nc → 1").diagnostics) == 1


@pytest.mark.parametrize(
    ("text", "end_column"),
    [
        ("a → b-c → → d", 12),
        ("a → b; c → :nowhere", 20),
        ("@job x", 5),
        ("a -> ->", 8),
        ("a (x)", 5),
        ("a →", None),
        ("a '''x", None),
    ],
)
def test_the_end_of_the_token(text: str, end_column: int | None) -> None:
    (diagnostic,) = check_flow(text).diagnostics
    assert diagnostic.end_column == end_column


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("<{}> → {a} → :start", None),
        ("? `$.x` a → :start", (1, 13)),
        ("* a → :start; b", (1, 7)),
        ("* { a } → ? `$.y` { b } → > :start", None),
        ("? `$.y` { b } → :start", (1, 17)),
        ("a → :x; ? `$.x` b → :x; :x → ? `$.x` c → :start", None),
        ("? `$.x` a → :x; * b → :x; :x → ? `$.x` c → :start", (1, 44)),
        ("{ ? `$.x` a :m; :m → ? `$.x` b } → :start", (1, 36)),
        ("<u> → ? `$.x` a → :start", None),
        ("<[1]> → ? `$.x` a → <u>; ? `$.x` a → :start", (1, 38)),
    ],
)
def test_a_loop_that_can_run_without_a_task_is_refused(text: str, location: tuple[int, int] | None) -> None:
    errors = [
        diagnostic for diagnostic in check_flow(text).diagnostics if diagnostic.severity is Severity.ERROR
    ]
    if location is None:
        assert all("> merges nothing" in error.message for error in errors)
    else:
        (error,) = errors
        assert error.message.startswith("this loop can run without doing any task")
        assert (error.line, error.column) == location


@pytest.mark.parametrize("text", ["a `\x1b[2J\n`", "a \x1b", "`\u202e`"])
def test_no_message_can_control_a_terminal(text: str) -> None:
    (diagnostic,) = check_flow(text, source="a\x1b[2J.flow").diagnostics
    assert diagnostic.message.isprintable()
    assert all(line.isprintable() for line in str(diagnostic).split("\n"))


@pytest.mark.parametrize(
    ("raw", "place", "byte"),
    [
        (b"a\n# caf\xe9", "x:2:6", "0xe9"),
        (b"\xff\xfea\0", "x:1:1", "0xff"),
        (b"\xef\xbb\xbfa \x80", "x:1:3", "0x80"),
    ],
)
def test_bytes_that_are_not_utf_8(raw: bytes, place: str, byte: str) -> None:
    (diagnostic,) = check_flow(raw.decode("utf-8-sig", "surrogateescape"), source="x").diagnostics
    assert diagnostic.place == place
    assert diagnostic.message == f"this is not UTF-8 text: byte {byte}"
