"""redis:COMMAND: what is sent, what is refused, the output of the reply."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.config.settings import Settings
from lfr.events import StartTask
from lfr.store import key_patterns, keys
from lfr.tasks.parameters import BadParameter
from lfr.tasks.redis_command import (
    FORBIDDEN_COMMANDS,
    MAX_CHARACTERS,
    USUAL_COMMANDS,
    CommandPolicy,
    RedisCommand,
    allowed_commands,
    parse_command,
    reply_output,
)

POLICY = CommandPolicy(allowed_commands(["usual"]), key_patterns.is_own)
INPUT = {"id": 7, "list": [1]}


def task(command: str, parameters: Any = None, input: Any = INPUT) -> StartTask:
    return StartTask("workflow:x", "alias", f"redis:{command}", 1, input, parameters, 1)


@pytest.mark.parametrize(
    ("command", "parameters", "words", "key"),
    [
        ("get", {"args": ["user:{input[id]}"]}, ("GET", "user:7"), "user:7"),
        ("GET", {"args": ["{x}"], "format": False}, ("GET", "{x}"), "{x}"),
        ("ping", {}, ("PING",), None),
        ("ping", None, ("PING",), None),
        ("set", {"args": ["a", 1.5], "key": "k"}, ("SET", "a", "1.5"), "k"),
        ("rpush", {"args": ["a", "{input}"]}, ("RPUSH", "a", '{"id":7,"list":[1]}'), "a"),
        ("get", {"args": ["{parameters[to]}"], "to": "b", "key": ""}, ("GET", "b"), ""),
        ("set", {"args": ["last", "workflow:x"]}, ("SET", "last", "workflow:x"), "last"),
    ],
)
def test_the_sent_command(command: str, parameters: Any, words: tuple[str, ...], key: str | None) -> None:
    built = parse_command(task(command, parameters), POLICY)
    assert (built.words, built.key) == (words, key)


@pytest.mark.parametrize(
    ("command", "parameters", "reason"),
    [
        ("get", {"args": "a"}, 'redis:get: args is "a", but must be a list of texts and numbers'),
        ("get", {"args": {}}, "redis:get: args is {}, but must be a list of texts and numbers"),
        ("get", {"args": [None]}, "redis:get: args is [null], but must be a list of texts and numbers"),
        ("get", {"args": ["a"], "format": "no"}, 'redis:get: format is "no", but must be true or false'),
        ("get", {"args": ["a"], "key": 5}, "redis:get: key is 5, but must be a text"),
        (
            "get",
            {"args": ["a"], "type": "float"},
            'redis:get: type is "float", but must be one of string, int',
        ),
        ("get", ["a"], 'redis:get: the parameters are ["a"], but must be an object'),
        ("get", {"args": ["{input[x]}"]}, 'redis:get: args: {input[x]}: the input has no "x"'),
        ("get", {"args": ["{input.id}"]}, "redis:get: args: a template only looks items up: "),
        ("get", {"args": ["\ud800"]}, "redis:get: args: '\\ud800' cannot be written in UTF-8"),
        ("set", {"args": ["a", "{input}{input}"]}, "redis:set: args are longer than"),
        ("flushall", {}, "redis:flushall: the configuration (redis.commands) does not allow FLUSHALL"),
        ("nonsense", {}, "redis:nonsense: the configuration (redis.commands) does not allow NONSENSE"),
        ("del", {"args": ["a", "workflows:all"]}, "workflows:all is a key of lfr's own: no workflow may"),
        ("mset", {"args": ["a", "b", "flow:x", "b"]}, "flow:x is a key of lfr's own"),
        ("smove", {"args": ["a", "waits:timers", "b"]}, "waits:timers is a key of lfr's own"),
        ("set", {"args": ["{input[key]}", "x"]}, "littleflow:config:env-prefix is a key of lfr's own"),
        ("hgetall", {"args": ["workflow:x:outputs"]}, "workflow:x:outputs is a key of lfr's own"),
        ("mget", {"args": ["a", "env:global:base_url"]}, "env:global:base_url is a key of lfr's own"),
        ("sunion", {"args": ["a", "waits:event:x"]}, "waits:event:x is a key of lfr's own"),
        ("zrange", {"args": ["workflows:all", 0, -1]}, "workflows:all is a key of lfr's own"),
    ],
)
def test_a_wrong_or_forbidden_argument_is_named(command: str, parameters: Any, reason: str) -> None:
    input: Any = {"key": "littleflow:config:env-prefix"}
    if "longer" in reason:
        input = "x" * (MAX_CHARACTERS // 2)
    with pytest.raises(BadParameter) as caught:
        parse_command(task(command, parameters, input), POLICY)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"redis:{command}: ")


@pytest.mark.parametrize("command", sorted(USUAL_COMMANDS - {"ECHO", "PING", "TIME"}))
def test_no_usual_command_names_a_key_of_lfr(command: str) -> None:
    with pytest.raises(BadParameter, match="workflow:x:outputs is a key of lfr's own"):
        parse_command(task(command.lower(), {"args": ["workflow:x:outputs", "a", "b"]}), POLICY)


def test_a_value_may_be_what_a_key_is() -> None:
    for command, args in (("set", ["a", "workflow:x"]), ("hget", ["h", "workflow:x"]), ("echo", ["flow:x"])):
        assert parse_command(task(command, {"args": args}), POLICY).words[1:] == tuple(args)


def test_a_sort_follows_no_pattern_to_other_keys() -> None:
    policy = CommandPolicy(allowed_commands(["sort"]), key_patterns.is_own)
    assert parse_command(task("sort", {"args": ["ids", "ALPHA"]}), policy).words == ("SORT", "ids", "ALPHA")
    for args in (
        ["ids", "BY", "nosort", "GET", "*"],
        ["ids", "BY", "*->state"],
        ["ids", "GET", "w*->source"],
    ):
        with pytest.raises(BadParameter, match=r"BY and GET with a \* are not allowed"):
            parse_command(task("sort", {"args": args}), policy)


def test_every_argument_of_an_unknown_command_counts_as_a_key() -> None:
    policy = CommandPolicy(allowed_commands(["rename", "json.set"]), key_patterns.is_own)
    assert parse_command(task("rename", {"args": ["a", "b"]}), policy).words == ("RENAME", "a", "b")
    assert parse_command(task("json.set", {"args": ["a", "$", "1"]}), policy).words[0] == "JSON.SET"
    with pytest.raises(BadParameter, match="workflow:x is a key"):
        parse_command(task("rename", {"args": ["a", "workflow:x"]}), policy)
    with pytest.raises(BadParameter, match="does not allow GET"):
        parse_command(task("get", {"args": ["a"]}), policy)


def test_the_commands_that_the_configuration_allows() -> None:
    assert allowed_commands(()) == frozenset()
    assert allowed_commands(Settings().redis_commands) == USUAL_COMMANDS == allowed_commands(["USUAL", "get"])
    assert allowed_commands(["Publish", "usual"]) >= {"PUBLISH", "GET"}
    assert allowed_commands(["get"]) == {"GET"}
    assert not USUAL_COMMANDS & FORBIDDEN_COMMANDS
    with pytest.raises(ValueError, match="EVAL, FLUSHALL cannot be allowed"):
        allowed_commands(["usual", "flushall", "eval"])


def test_every_key_of_lfr_is_its_own() -> None:
    constants = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)]
    built = [
        keys.state("RUNNING"),
        keys.flow("0"),
        keys.steps("workflow:x"),
        keys.outputs("workflow:x"),
        keys.facts("workflow:x"),
        keys.history("workflow:x"),
        keys.out_of_band_output("workflow:x", 1),
        keys.wait("workflow:x", 1, 1, ""),
        keys.wait("workflow:x", 1, 1, "0123abcd"),
    ]
    assert len(constants) >= 5
    assert [key for key in constants + built if not key_patterns.is_own(key)] == []
    assert key_patterns.is_own("prod:env:global:base_url")
    assert not key_patterns.is_own("user:7")


@given(st.text("ab:_\n"), st.text("ab:_\n"), st.text("ab:_\n"))
def test_every_key_of_a_base_url_is_protected(prefix: str, environ: str, category: str) -> None:
    try:
        key = keys.base_url(prefix, environ, category)
    except ValueError:
        assert ":" in environ + category
    else:
        assert key_patterns.is_own(key)


@pytest.mark.parametrize(
    ("words", "type", "reply", "output"),
    [
        (("GET", "a"), "string", b"5", {"id": 7, "a": "5"}),
        (("GET", "a"), "int", b"-5", {"id": 7, "a": -5}),
        (("GET", "a"), "string", b"OK", {"id": 7, "a": "OK"}),
        (("GET", "id"), "string", None, {}),
        (("SET", "id", "1"), "string", b"OK", {"id": 7}),
        (("SET", "id", "1", "GET"), "string", b"0", {"id": "0"}),
        (("INCR", "a"), "string", 3, {"id": 7, "a": 3}),
        (
            ("LRANGE", "a", "0", "-1"),
            "string",
            [b"x", None, [b"y", 1]],
            {"id": 7, "a": ["x", None, ["y", 1]]},
        ),
        (("MGET", "a", "b"), "int", [b"1", None], {"id": 7, "a": [1, None]}),
        (("HGETALL", "a"), "int", [b"x", b"1", b"y", b"2"], {"id": 7, "a": {"x": 1, "y": 2}}),
        (("ZSCORE", "a", "x"), "string", b"inf", {"id": 7, "a": "inf"}),
        (("ZSCORE", "a", "x"), "int", b"5", {"id": 7, "a": 5}),
        (
            ("ZRANGE", "a", "0", "-1", "WITHSCORES"),
            "int",
            [b"1", b"5", b"2", b"6"],
            {"id": 7, "a": [[1, 5], [2, 6]]},
        ),
        (("ZRANGE", "WITHSCORES", "0", "-1"), "string", [b"x"], {"id": 7, "WITHSCORES": ["x"]}),
    ],
)
def test_the_output_of_a_reply(words: tuple[str, ...], type: str, reply: Any, output: Any) -> None:
    assert reply_output(RedisCommand("redis:x", words, words[1], type), {"id": 7}, reply) == output


@pytest.mark.parametrize("input", [None, [1], "text"])
def test_the_reply_replaces_an_input_that_is_no_object(input: Any) -> None:
    command = RedisCommand("redis:get", ("GET", "a"), "a", "string")
    assert reply_output(command, input, b"5") == {"a": "5"}
    assert reply_output(command, input, None) == input
    assert reply_output(RedisCommand("redis:ping", ("PING",), None, "string"), input, b"PONG") == input


@pytest.mark.parametrize("reply", [b"", b"1.5", b"1_0", "٣".encode(), b"9" * 5000])
def test_a_reply_that_is_no_number_fails_where_one_is_expected(reply: bytes) -> None:
    with pytest.raises(BadParameter, match="redis:get: type is int, but Redis answers"):
        reply_output(RedisCommand("redis:get", ("GET", "a"), "a", "int"), {}, reply)


def test_a_reply_that_is_no_text_fails() -> None:
    with pytest.raises(BadParameter, match="redis:get: the reply of Redis is not text in UTF-8"):
        reply_output(RedisCommand("redis:get", ("GET", "a"), "a", "string"), {}, b"\xff")
