"""Diagnostics of texts that do not compile: locations, messages, excerpts with the caret."""

from __future__ import annotations

import pytest

from lfr.errors import BadInput
from lfr.language import FlowError, compile_flow


def error(text: str) -> FlowError:
    with pytest.raises(FlowError) as caught:
        compile_flow(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a → b;\nc → :nowhere",
            "FLOW:2:5: no step follows :nowhere (begin a statement with it (:nowhere -> B), or a step "
            "(A -> :nowhere B))\n    c → :nowhere\n        ^",
        ),
        (
            "a → :x;\nb\n:x → c",
            "FLOW:1:5: no step follows :x; another :x is read as the label after a step, at line 3, column "
            "1 (is there a ; missing between that step and it?)\n    a → :x;\n        ^",
        ),
        (
            ":x → a;\nb → :x\nc",
            "FLOW:1:1: no step leads to :x; another :x is read as the label before a step, at line 2, column "
            "5 (is there a ; missing between that step and it?)\n    :x → a;\n    ^",
        ),
        (
            "a → → b",
            "FLOW:1:5: expected a task or a subflow, found an arrow (something is missing before it)\n"
            "    a → → b\n        ^",
        ),
        (
            "a - b",
            'FLOW:1:3: expected an arrow or a new statement, found "-" (an arrow is written -> or →)\n'
            "    a - b\n      ^",
        ),
        (
            "<{}> a",
            "FLOW:1:6: expected an arrow, found a name, a\n    <{}> a\n         ^",
        ),
        (
            "a →\n{ b → c\n\n",
            "FLOW:2:8: the text ends, but a { is not closed, at line 2, column 1 (} closes it)\n"
            "    { b → c\n           ^",
        ),
        (
            "{ a ]",
            "FLOW:1:5: ] cannot close {, at line 1, column 1\n    { a ]\n        ^",
        ),
        (
            "a;;b",
            "FLOW:1:3: expected a statement, found ; (it ends a statement, but no statement precedes it)\n"
            "    a;;b\n      ^",
        ),
        (
            'a (\n{"k": 1,})',
            'FLOW:2:1: parameters cannot begin with "{" (they are written (- YAML -), ({JSON}), ([JSON]) or '
            '(), without blanks between the two signs)\n    {"k": 1,})\n    ^',
        ),
        (
            'a ({"k": 1,\n"l" 2})',
            "FLOW:1:3: JSON: expecting ':' delimiter, at line 2, column 5\n    a ({\"k\": 1,\n      ^",
        ),
        (
            "a ({} )",
            "FLOW:1:3: JSON: expected ) right after the value, at line 1, column 6\n    a ({} )\n      ^",
        ),
        (
            '(- !!python/object/apply:os.system ["id"] -)',
            "FLOW:1:1: YAML: !!python/object/apply:os.system is not JSON, at line 1, column 4",
        ),
        (
            'a (- "x -)" -)',
            "FLOW:1:3: YAML: found unexpected end of stream, at line 1, column 9 (the first -) ends it; "
            'write text with -) in it as JSON)\n    a (- "x -)" -)\n      ^',
        ),
        (
            "a;\n? `$.dry-run` b",
            'FLOW:2:3: guard: a name with other characters is written ["..."], at line 2, column 9\n'
            "    ? `$.dry-run` b\n      ^",
        ),
        ("* > a", "FLOW:1:3: * and > exclude each other"),
        (
            "@task a (- k: 1 -)\n{ b } → c",
            "FLOW:2:7: expected a statement, found an arrow (write ; after the declaration if the bracket "
            "after it begins a statement)",
        ),
        (
            "@task a = b { c } d",
            "FLOW:1:1: a task is an alias (=) or a subflow ({ }), but not both (write ; ",
        ),
        ("? `$.a` > a", "FLOW:1:9: > stands before the ? of a guard (such as * ? `$.a` task)"),
        ("? `$.a` * a", "FLOW:1:9: * stands before the ? of a guard"),
        ("> * a", "FLOW:1:3: * and > exclude each other"),
        ("a → > :start", "FLOW:1:5: > merges nothing at :start"),
        ("{ a → :start }", "FLOW:1:7: a subflow cannot go back to its start"),
        ("@task a = a; a", "FLOW:1:1: a is an alias of itself: a = a"),
        ("@task a { b } @task b { c } @task c = a; a", "FLOW:1:15: b contains itself: b > c > b"),
        (
            '@task a ([1]) @task b = a ({"k": 1}) b',
            "FLOW:1:27: the defaults are a list, these parameters an object",
        ),
    ],
)
def test_the_message_of_an_error(text: str, expected: str) -> None:
    assert str(error(text)).startswith(expected)


def test_all_errors_are_reported_in_the_order_of_the_text() -> None:
    text = ":a → b (- [ -);\n<- 5 -> → c → :d; ? `x` e :f → g :f;\n@task h = h"
    assert [(each.line, each.column) for each in error(text).errors] == [
        (1, 1),
        (1, 8),
        (2, 1),
        (2, 15),
        (2, 21),
        (2, 34),
        (3, 1),
    ]


def test_nothing_is_reported_after_a_literal_whose_end_is_unknown() -> None:
    assert len(error('a ({"k": "})", x}) -> ;; b').errors) == 1


def test_each_error_is_reported_once_however_often_a_subflow_is_used() -> None:
    assert len(error('@task d ([1]) @task s { d ({"k": 1}) } s s s').errors) == 1


def test_a_flow_error_is_an_lfr_error() -> None:
    first = error(":x → a; :y → b")
    assert isinstance(first, BadInput)
    assert first.place == "FLOW:1:1"
    assert first.message == "no step leads to :x (and 1 more)"
    assert first.hint
    assert first.errors[0].source_line == ":x → a; :y → b"


def test_the_caller_names_the_text() -> None:
    with pytest.raises(FlowError, match=r"^nightly\.lf:1:1: "):
        compile_flow("", source="nightly.lf")


def test_many_errors_are_counted() -> None:
    message = str(error("; ".join(f":x{number} → a" for number in range(50))))
    assert message.count("no step leads to") == 20
    assert message.endswith("\nand 30 more")


@pytest.mark.parametrize(
    ("text", "line", "caret"),
    [
        ("\ta\t→ 1", "    \ta\t→ 1", "    \t \t  ^"),
        ("'''日本''' x", "    '''日本''' x", "    ^"),
        ("a (- 日本 -) 1", "    a (- 日本 -) 1", " " * 17 + "^"),
        ("a (- e\u0301 -) 1", "    a (- e\u0301 -) 1", " " * 14 + "^"),
        ("a \x1b[31m", "    a \ufffd[31m", "      ^"),
        ("a \ud800", "    a \ufffd", "      ^"),
        ("a" * 300 + " 1 " + "b" * 300, f"    …{'a' * 59} 1 {'b' * 38}…", " " * 65 + "^"),
    ],
)
def test_the_caret_stands_under_the_location(text: str, line: str, caret: str) -> None:
    lines = str(error(text)).split("\n")
    assert lines[2] == caret
    assert lines[1] == line


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(end: str) -> None:
    (only,) = error(f"a{end}# comment{end}→ 1").errors
    assert (only.line, only.column, only.source_line) == (3, 3, "→ 1")


@pytest.mark.parametrize("text", ["1", ":x → a", ";"])
def test_a_byte_order_mark_takes_no_column(text: str) -> None:
    (only,) = error("\ufeff" + text).errors
    assert (only.line, only.column, only.source_line) == (1, 1, text)
