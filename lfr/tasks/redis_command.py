"""`redis:COMMAND`: the command that a task asks for, and what its reply becomes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from lfr.events import StartTask
from lfr.tasks.catalogue import REDIS_PREFIX, find_built_in
from lfr.tasks.parameters import BadParameter, parse_parameters
from lfr.tasks.redis_rules import CommandPolicy, written_keys
from lfr.tasks.template import TemplateError, fill
from lfr.values.checks import is_unicode
from lfr.values.json import Json

MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""How long all arguments of a command may be together."""

_SAYS_OK: Final = frozenset({"HMSET", "LSET", "LTRIM", "MSET", "SET", "SETEX"})
"""Commands that answer OK, which is not worth telling."""

_WHOLE: Final = re.compile(r"-?[0-9]{1,1000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RedisCommand:
    """A command as it is sent: `words` are its name and its arguments.

    key   the reply's name in the output; None: it is not told
    type  `string` or `int`: how texts in the reply are read
    """

    task: str
    words: tuple[str, ...]
    key: str | None
    type: str


def parse_command(task: StartTask, rules: CommandPolicy) -> RedisCommand:
    """The command that a task asks for. Raises BadParameter, also for what is not allowed."""
    name = task.base.removeprefix(REDIS_PREFIX).upper()
    if name not in rules.commands:
        raise BadParameter(f"{task.base}: the configuration (redis.commands) does not allow {name}")
    described = find_built_in(task.base)
    assert described is not None  # by its beginning
    values = parse_parameters(task.base, described.parameters, task.parameters)
    arguments = _arguments(task, values)
    for written in written_keys(name, arguments):
        if rules.is_own(written):
            raise BadParameter(f"{task.base}: {written[:80]} is a key of lfr's own: no workflow may write it")
    key = next(iter(arguments), None) if values["key"] is None else values["key"]
    return RedisCommand(task.base, (name, *arguments), key, values["type"])


def reply_output(command: RedisCommand, input: Json, reply: Any) -> Json:
    """The input with the reply in it, under its name; of an input that is no object, the reply alone.

    Nil leaves its name out, OK is not told. `reply` as Redis gives it: bytes, int, None, or a list of
    these. Raises BadParameter for a reply that is not UTF-8, or not a whole number if it is to be one.
    """
    is_object = isinstance(input, dict)
    if command.key is None or (reply is None and not is_object):
        return input
    if reply == b"OK" and command.words[0] in _SAYS_OK:
        return input
    output = {key: value for key, value in input.items() if key != command.key} if is_object else {}
    return output if reply is None else {**output, command.key: _told(command, reply)}


def _arguments(task: StartTask, values: dict[str, Any]) -> list[str]:
    names = {"input": task.input, "parameters": task.parameters}
    arguments: list[str] = []
    length = 0
    for given in values["args"]:
        try:
            argument = fill(given, names) if values["format"] else given
        except TemplateError as error:
            raise BadParameter(f"{task.base}: args: {error}") from None
        length += len(argument)
        if length > MOST_CHARACTERS:
            raise BadParameter(f"{task.base}: args are longer than {MOST_CHARACTERS} characters")
        if not is_unicode(argument):
            raise BadParameter(f"{task.base}: args: {ascii(argument)[:40]} cannot be written in UTF-8")
        arguments.append(argument)
    return arguments


def _told(command: RedisCommand, reply: Any) -> Json:
    if command.words[0] == "HGETALL":
        names = [_text(command, name) for name in reply[::2]]
        return dict(zip(names, _value(command, reply[1::2]), strict=True))
    return _value(command, reply)


def _value(command: RedisCommand, reply: Any) -> Json:
    if isinstance(reply, list):
        return [_value(command, item) for item in reply]
    if not isinstance(reply, bytes):
        return reply
    text = _text(command, reply)
    if command.type == "string":
        return text
    if not _WHOLE.fullmatch(text):
        raise BadParameter(f"{command.task}: type is int, but Redis answers {text[:40]!r}")
    return int(text)


def _text(command: RedisCommand, reply: bytes) -> str:
    try:
        return reply.decode()
    except UnicodeDecodeError:
        raise BadParameter(f"{command.task}: Redis answers what is no text in UTF-8") from None
