"""Pipelines: each command's handle has its own reply, or its own error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import redis

from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline


class EchoConnection:
    """Answers each command with its words; an INCR with an error. Notes what was sent."""

    def __init__(self) -> None:
        self.batches: list[list[Command]] = []

    def execute(self, commands: Sequence[Command], *, keep_errors: bool = False) -> list[Any]:
        assert keep_errors
        self.batches.append(list(commands))
        return [redis.ResponseError("no") if words[0] == "INCR" else list(words) for words in commands]


@pytest.fixture
def connection() -> EchoConnection:
    return EchoConnection()


@pytest.fixture
def pipeline(connection: EchoConnection) -> Pipeline:
    return Pipeline(cast(Connection, connection))


def test_each_handle_has_its_own_reply(pipeline: Pipeline, connection: EchoConnection) -> None:
    first, second = pipeline.add("GET", "a"), pipeline.add("HGET", "b", 1)
    pipeline.send()
    assert (second.value, first.value) == (["HGET", "b", 1], ["GET", "a"])
    assert connection.batches == [[("GET", "a"), ("HGET", "b", 1)]]


def test_an_error_belongs_to_its_command_alone(pipeline: Pipeline) -> None:
    wrong, right = pipeline.add("INCR", "text"), pipeline.add("GET", "text")
    pipeline.send()
    assert right.value == right.value_or_none == ["GET", "text"]
    assert wrong.value_or_none is None
    with pytest.raises(redis.ResponseError, match="no"):
        _ = wrong.value


def test_a_pipeline_can_be_filled_again(pipeline: Pipeline, connection: EchoConnection) -> None:
    first = pipeline.add("GET", "a")
    pipeline.send()
    second = pipeline.add("GET", "b")
    pipeline.send()
    assert (first.value, second.value) == (["GET", "a"], ["GET", "b"])
    assert connection.batches == [[("GET", "a")], [("GET", "b")]]


def test_without_commands_nothing_is_sent(pipeline: Pipeline, connection: EchoConnection) -> None:
    pipeline.send()
    assert connection.batches == []


def test_a_handle_has_no_reply_before_the_pipeline_is_sent(pipeline: Pipeline) -> None:
    with pytest.raises(AttributeError):
        _ = pipeline.add("GET", "a").value
