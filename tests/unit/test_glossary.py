"""The names of the code keep to docs/glossary.md."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import lfr

ROOT = Path(lfr.__file__).parent
GLOSSARY = (ROOT.parent / "docs" / "glossary.md").read_text()

NAMED_BY_USERS = ("cli/commands", "roles", "web/routes")
"""Folders whose modules bear the word of their command, role or route."""

SHARED_NAMES = {
    "ast": "the syntax trees of flows and of guards",
    "check": "the checks of a flow text, of a configuration file and of an archive",
    "dead_letters": "dead letters: the operations, and their Redis keys",
    "events": "events, and the operations on them",
    "http": "the rules of HTTP for the tasks, and requests and responses of the API",
    "calls": "the calls of stored flows: the decisions, the consumer's part, and their children in Redis",
    "items": "the items of a step: the decisions, the consumer's part, and their Redis keys",
    "labels": "labels of a flow text, and labels in a drawing",
    "latches": "latches: the decisions, the operations, and their Redis keys",
    "load": "loads the settings, and loads workflows",
    "local": "local runs of a flow: the algorithm, and the functions for users",
    "pauses": "pauses: the decisions, and their Redis keys",
    "notices": "notices: the operations, and their Redis keys",
    "parse": "the parsers of flows and of guards",
    "registry": "the waits that are registered in Redis, and the tasks that are registered in a worker",
    "schedules": "schedules: the operations, and their Redis keys",
    "task_logs": "what tasks have written: how it is stored, and how it is read",
    "start": "starts a workflow, and starts a wait",
    "traces": "traces: the operations, and their Redis keys",
}
"""Names of modules in more than one of the other rooms, each with what they have in common."""

OTHER_WORDS = {
    "job": set(),
    "node": {"config", "drawing", "language", "values"},
    "place": {"config", "errors", "language", "outbound", "worker"},
    "tick": set(),
    "vertex": set(),
}
"""Words of other systems, with the rooms in which they mean something else: the nodes of syntax trees and of
drawings, the places of errors."""

TYPES = {
    "batch": {"Sequence[Entry]", "int"},
    "diagnostic": set(),
    "digest": {"str"},
    "fact": set(),
    "flow": {"str", "bool"},
    "index": {"int"},
    "progress": {"Reply", "bytes"},
    "transition": set(),
}
"""Types of parameters and fields with such a name, besides None and classes whose names end in the word."""


def rows(heading: str, number: int = 0) -> list[list[str]]:
    """Return the cells of the rows of a section's table, without its head."""
    section = GLOSSARY.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    tables = [part for part in section.strip().split("\n\n") if part.startswith("|")]
    lines = tables[number].strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def words(cells: list[list[str]], column: int = 0) -> list[str]:
    return [word.strip() for row in cells for word in row[column].split(",")]


UNUSED = words(rows("Words that we do not use"))
WHOLE = {word.rstrip(" *") for word in UNUSED}
PARTS = {word.rstrip(" *") for word in UNUSED if word.endswith("*")}


def parts(name: str) -> list[str]:
    """Return the words of a name in snake_case or CamelCase, in small letters and singular."""
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return [singular(word) for word in snake.split("_") if word]


def singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and word not in WHOLE else word


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def bindings(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and line of all that a file binds: the module, classes, functions, arguments, variables
    and attributes."""
    yield path.stem, 1
    for node in nodes(path):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def is_unused_word(name: str, others: set[str]) -> bool:
    """Return whether the glossary rejects a name, in a file that also binds the others."""
    name_parts = parts(name)
    if name_parts == ["left"] and {"right", "top"} & others:
        return False  # a direction
    return bool(PARTS & set(name_parts)) or (len(name_parts) == 1 and name_parts[0] in WHOLE)


def rejected(path: Path) -> list[str]:
    names = list(bindings(path))
    others = {name.strip("_") for name, _ in names}
    return [f"{path}:{line} {name}" for name, line in names if is_unused_word(name, others)]


@pytest.mark.parametrize(
    "name", ["told", "_told", "found", "is_taken", "Meeting", "news_of", "doubts", "left"]
)
def test_words_that_we_do_not_use_are_recognised(name: str) -> None:
    assert is_unused_word(name, set())


@pytest.mark.parametrize("name", ["NotFound", "left_margin", "is_given", "design", "entries", "signature"])
def test_other_names_are_not_taken_for_them(name: str) -> None:
    assert not is_unused_word(name, set())
    assert not is_unused_word("left", {"right"})


def test_no_name_uses_a_word_that_we_do_not_use() -> None:
    assert [name for path in sorted(ROOT.rglob("*.py")) for name in rejected(path)] == []


def test_words_of_other_systems_are_not_used_instead_of_ours() -> None:
    assert sorted(words(rows("Words that we do not use", 1))) == sorted(OTHER_WORDS)
    wrong = [
        f"{path}:{line} {name}"
        for path in sorted(ROOT.rglob("*.py"))
        for name, line in bindings(path)
        for word in set(parts(name)) & OTHER_WORDS.keys()
        if path.relative_to(ROOT).parts[0].removesuffix(".py") not in OTHER_WORDS[word]
    ]
    assert wrong == []


def test_each_word_stands_once() -> None:
    headings = [heading for heading in re.findall(r"^## (.*)$", GLOSSARY, re.MULTILINE)]
    assert headings[-1] == "Words that we do not use"
    defined = [word for heading in headings[:-1] for word in words(rows(heading))]
    assert [word for word, count in Counter(defined).items() if count > 1] == []
    assert not set(defined) & WHOLE


def test_rooms_share_names_of_modules_only_with_a_reason() -> None:
    homes = defaultdict(set)
    for path in ROOT.rglob("*.py"):
        folder = str(path.relative_to(ROOT).parent)
        if not path.stem.startswith("__") and folder not in NAMED_BY_USERS:
            homes[path.stem].add(folder)
    assert {
        name: folders for name, folders in homes.items() if len(folders) > 1
    }.keys() <= SHARED_NAMES.keys()


def test_functions_that_build_commands_take_no_connection() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in ROOT.rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and re.match(r"[a-z]\w*_commands$", node.name)
        if {"link", "connection", "redis", "client"} & {argument.arg for argument in node.args.args}
    ]
    assert wrong == []


def test_a_word_of_the_glossary_holds_what_it_says() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in nodes(path):
            match node:
                case ast.arg(arg=name, annotation=ast.expr() as annotation):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    pass
                case _:
                    continue
            types = {part.strip() for part in ast.unparse(annotation).split(" | ")} - {"None"}
            others = {each for each in types if not each.endswith(name.title())}
            if name in TYPES and not others <= TYPES[name]:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}: {ast.unparse(annotation)}")
    assert wrong == []
