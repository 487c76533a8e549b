"""The protocol of Redis, written and read in bulk."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from lfr.store.redis import resp
from lfr.store.redis.resp import Parser, find_parser_class, pack, read_replies

STRINGS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\r\n", b"a\r\nb", b"$3\r\nabc", b"x" * 1023, b"x" * 1024, b"y" * 5000]),
)
REPLIES = st.recursive(
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), STRINGS),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=30,
)
ENTRIES = st.lists(st.lists(STRINGS, max_size=8).map(lambda fields: [b"1-0", fields]), max_size=5)


class Connection:
    """A socket that hands over what it has in pieces of the given sizes, then hangs up."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._sock = self
        self._data = data
        self._sizes = sizes

    def recv_into(self, buffer: memoryview) -> int:
        size = min(self._sizes.pop(0) if self._sizes else len(buffer), len(self._data), len(buffer))
        buffer[:size] = self._data[:size]
        self._data = self._data[size:]
        return size


def encoded(reply: Any) -> bytes:
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    return b"*%d\r\n" % len(reply) + b"".join(map(encoded, reply))


def parser(data: bytes, sizes: list[int]) -> Parser:
    parser = Parser(0)
    parser.on_connect(Connection(data, sizes))
    return parser


@given(
    st.lists(st.one_of(REPLIES, ENTRIES), min_size=1, max_size=4), st.lists(st.integers(1, 50), max_size=40)
)
def test_replies_are_read_as_they_were_sent_in_whatever_pieces(replies: list[Any], sizes: list[int]) -> None:
    data = b"".join(map(encoded, replies))
    assert parser(data, sizes).read_replies(len(replies)) == replies


@given(st.lists(st.lists(st.one_of(st.text(), st.integers()), min_size=1, max_size=5), max_size=5))
def test_commands_are_written_as_arrays_of_strings(commands: list[list[str | int]]) -> None:
    sent = [[str(argument).encode() for argument in command] for command in commands]
    assert pack(commands) == b"".join(map(encoded, sent))


def test_status_queued_errors_and_missing_arrays() -> None:
    replies = parser(b"+OK\r\n+QUEUED\r\n-WRONGTYPE no\r\n*-1\r\n", []).read_replies(4)
    assert replies[:2] == [b"OK", b"QUEUED"]
    assert isinstance(replies[2], redis.ResponseError)
    assert replies[3] is None


@given(st.lists(st.sampled_from([b"+QUEUED\r\n", b"+OK\r\n", b"$7\r\n+QUEUED\r\n"]), max_size=12))
def test_queued_commands_are_read_wherever_they_stand(parts: list[bytes]) -> None:
    words = {b"+QUEUED\r\n": b"QUEUED", b"+OK\r\n": b"OK", b"$7\r\n+QUEUED\r\n": b"+QUEUED"}
    assert parser(b"".join(parts), []).read_replies(len(parts)) == [words[part] for part in parts]


def test_many_replies_are_read_in_time_linear_in_their_number() -> None:
    copied = 0

    class Lines(list[bytes]):
        """Counts the lines that slices copy."""

        def __getitem__(self, key: Any) -> Any:
            nonlocal copied
            found = super().__getitem__(key)
            copied += len(found) if isinstance(key, slice) else 0
            return found

    many = parser(b":0\r\n" + encoded([b"a", b"b"]) * 1000, [])
    assert many.read_replies(1) == [0]
    many._lines = Lines(many._lines)
    assert many.read_replies(1000) == [[b"a", b"b"]] * 1000
    assert copied < 10_000


@given(st.lists(st.booleans(), max_size=6), st.lists(st.integers(1, 50), max_size=40))
def test_entries_that_have_been_deleted_are_read_as_such(are_there: list[bool], sizes: list[int]) -> None:
    """As XREADGROUP answers them when it is asked for what is pending."""
    fields = {True: (b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", [b"a", b"b"]), False: (b"*-1\r\n", None)}
    data = b"*%d\r\n" % len(are_there) + b"".join(
        b"*2\r\n$3\r\n1-0\r\n" + fields[each][0] for each in are_there
    )
    expected = [[b"1-0", fields[each][1]] for each in are_there]
    assert parser(data + b"+OK\r\n", sizes).read_replies(2) == [expected, b"OK"]


def test_a_server_that_hangs_up_in_the_middle_is_noticed() -> None:
    with pytest.raises(redis.ConnectionError):
        parser(b"*2\r\n$3\r\nabc\r\n$5\r\nab", []).read_replies(1)


def test_a_long_string_is_read_in_time_linear_in_its_size() -> None:
    sizes: list[int] = []

    class Counting(Connection):
        def recv_into(self, buffer: memoryview) -> int:
            sizes.append(size := super().recv_into(buffer))
            return size

    long = b"z\r\n" * 1_000_000
    reader = Parser(0)
    reader.on_connect(Counting(encoded(long), []))
    assert reader.read_replies(1) == [long]
    assert len(sizes) < 100


def test_bytes_are_written_as_they_are() -> None:
    assert pack([("GET", b"\xff\r\n")]) == b"*2\r\n$3\r\nGET\r\n$3\r\n\xff\r\n\r\n"


def test_what_utf_8_cannot_hold_is_written_as_its_escape() -> None:
    assert pack([("SET", "é", "\ud800")]) == "*3\r\n$3\r\nSET\r\n$2\r\né\r\n$6\r\n\\ud800\r\n".encode()


def test_the_installed_redis_py_takes_our_parser() -> None:
    assert find_parser_class() is Parser


class WithoutSocket:
    _parser = None


class WithoutParser:
    _sock = None


@pytest.mark.parametrize("connection_class", [WithoutSocket, WithoutParser])
def test_a_redis_py_without_one_of_the_private_names_keeps_its_own_parser(
    monkeypatch: pytest.MonkeyPatch, connection_class: type
) -> None:
    monkeypatch.setattr("redis.connection.Connection", connection_class)
    assert find_parser_class() is None


def test_a_redis_py_that_makes_errors_elsewhere_keeps_its_own_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resp, "_parse_error", None)
    assert find_parser_class() is None


def test_a_connection_without_our_parser_is_read_reply_by_reply() -> None:
    class Responses:
        """A connection of redis-py: raises the errors that the server answers."""

        def __init__(self, *responses: Any) -> None:
            self._responses = list(responses)

        def read_response(self) -> Any:
            response = self._responses.pop(0)
            if isinstance(response, Exception):
                raise response
            return response

    error = redis.ResponseError("WRONGTYPE")
    assert read_replies(Responses(b"OK", error, [b"a", 1], b"unread"), 3) == [b"OK", error, [b"a", 1]]
    with pytest.raises(redis.ConnectionError):
        read_replies(Responses(redis.ConnectionError()), 1)
