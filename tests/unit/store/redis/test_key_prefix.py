"""The prefix of keys: in every command that lfr sends, and in the replies that name keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import lfr
from lfr.store.redis.key_prefix import KeyPrefix, command_keys

SOURCES = Path(lfr.__file__).parent
ROOMS = ("lifecycle", "operations", "roles", "runtime", "store", "web", "worker")


def command_names(source: str) -> Iterator[str]:
    """Yield the names of the commands in a module: the first word of tuples and of calls, in capitals."""
    for node in ast.walk(ast.parse(source)):
        parts: Sequence[ast.expr] = ()
        if isinstance(node, ast.Tuple):
            parts = node.elts
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = node.args if node.func.attr in ("call", "add") else ()
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            parts = node.args[1:] if node.func.id == "call_group" else ()
        match parts:
            case [ast.Constant(value=str(name)), *_] if name.isalpha() and name.isupper():
                yield name


def test_every_command_is_in_the_table() -> None:
    sources = {path: path.read_text() for room in ROOMS for path in (SOURCES / room).rglob("*.py")}
    names = {name for source in sources.values() for name in command_names(source)}
    assert {"XADD", "XPENDING", "WATCH", "XREADGROUP", "SCAN", "XAUTOCLAIM", "ZSCAN", "XCLAIM"} <= names
    words = {"COUNT", "NAME", "LIMIT", "BLOCK", "IDLE", "MISCONF", "NOGROUP"}  # tuples of other words
    options = {"XREADGROUP": ["STREAMS", "s", ">"], "XREAD": ["STREAMS", "s", "$"], "SCAN": [0, "MATCH", "*"]}
    options["ZUNIONSTORE"] = ["d", 1, "s"]
    for name in sorted(names - words):
        command_keys([name, *options.get(name, ["a", "b"])])


@pytest.mark.parametrize(
    ("command", "prefixed"),
    [
        (("GET", "k"), ["GET", "p:k"]),
        (("SET", "k", "k", "NX"), ["SET", "p:k", "k", "NX"]),
        (("XADD", b"k", "*", "k", "k"), ["XADD", b"p:k", "*", "k", "k"]),
        (("WATCH", "k", "l", b"\xff"), ["WATCH", "p:k", "p:l", b"p:\xff"]),
        (("RENAME", "k", "l"), ["RENAME", "p:k", "p:l"]),
        (("XINFO", "CONSUMERS", "s", "g"), ["XINFO", "CONSUMERS", "p:s", "g"]),
        (("XGROUP", "CREATE", "s", "g", "0"), ["XGROUP", "CREATE", "p:s", "g", "0"]),
        (("MULTI",), ["MULTI"]),
        (("COMMAND", "INFO", "GET"), ["COMMAND", "INFO", "GET"]),
        (("SCAN", 0, "MATCH", "w:*", "COUNT", 9), ["SCAN", 0, "MATCH", "p:w:*", "COUNT", 9]),
        (("ZUNIONSTORE", "d", 2, "d", "h"), ["ZUNIONSTORE", "p:d", 2, "p:d", "p:h"]),
        (("XREAD", "COUNT", 1, "STREAMS", "s", "$"), ["XREAD", "COUNT", 1, "STREAMS", "p:s", "$"]),
        (
            ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "t", ">", ">"),
            ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "p:s", "p:t", ">", ">"],
        ),
    ],
)
def test_the_keys_of_a_command(command: Sequence[Any], prefixed: list[Any]) -> None:
    assert KeyPrefix("p:").add([command]) == [prefixed]


def test_a_command_that_is_not_in_the_table() -> None:
    with pytest.raises(KeyError, match="FLUSHALL"):
        KeyPrefix("p:").add([("FLUSHALL",)])


@pytest.mark.parametrize(
    ("name", "reply", "expected"),
    [
        ("SCAN", [b"0", [b"p:a", b"p:p:b"]], [b"0", [b"a", b"p:b"]]),
        ("XREADGROUP", [[b"p:s", [[b"1-0", [b"p:x", b"p:y"]]]]], [[b"s", [[b"1-0", [b"p:x", b"p:y"]]]]]),
        ("XREADGROUP", None, None),
        ("XREAD", b"QUEUED", b"QUEUED"),
        ("SMEMBERS", [b"p:a"], [b"p:a"]),
    ],
)
def test_the_keys_of_a_reply(name: str, reply: Any, expected: Any) -> None:
    assert KeyPrefix("p:").remove(name, reply) == expected
