"""Objects of S3, on a server that checks each signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadInput, BadSettings, CannotWrite, LfrError, NotFound, Refused, Unreachable
from lfr.outbound.object_store import ObjectLocation, ObjectStore, parse_object_uri
from tests.support.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server, s3_server

KEY = "a b/ü+=&'()*!~%41.json"


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def settings(server: S3Server) -> Settings:
    return Settings(
        s3_endpoint=server.url,
        s3_region=REGION,
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
        s3_timeout_seconds=10,
    )


def get(settings: Settings, uri: str = "s3://archives/a", max_bytes: int = 100) -> bytes:
    return ObjectStore(settings).get(parse_object_uri(uri), max_bytes)


def failure(settings: Settings, kind: type[LfrError], uri: str = "s3://archives/a") -> str:
    with pytest.raises(kind) as caught:
        get(settings, uri)
    return str(caught.value)


def test_what_is_written_is_read(server: S3Server, settings: Settings) -> None:
    location = ObjectLocation("archives", KEY)
    ObjectStore(settings).put(location, b"{}", "application/json")
    assert (server.objects, server.types) == ({KEY: b"{}"}, {KEY: "application/json"})
    assert ObjectStore(replace(settings, s3_session_token="t")).get(location, 2) == b"{}"
    with pytest.raises(BadInput, match="it has more than 1 bytes"):
        ObjectStore(settings).get(location, 1)


def test_each_refusal_says_what_to_do(server: S3Server, settings: Settings) -> None:
    place = f"s3://archives/a at {server.url}: "
    assert failure(settings, NotFound) == place + "there is no such object"
    assert failure(settings, NotFound, "s3://none/a").endswith("there is no such bucket")
    assert failure(replace(settings, s3_secret_key="x"), Refused) == (
        place + "s3.secret_key is not the key that belongs to s3.access_key"
    )
    assert "does not know the key" in failure(replace(settings, s3_access_key="x"), Refused)
    assert failure(replace(settings, s3_region="us-east-1"), Refused) == (
        place + f"the bucket is in the region '{REGION}', not 'us-east-1' (set s3.region, or AWS_REGION)"
    )
    server.failures = [(403, "AccessDenied")]
    assert "s3:GetObject and s3:ListBucket" in failure(settings, Refused)
    server.failures = [(400, "Odd")]
    assert failure(settings, Refused) == place + "the server answers 400 Bad Request: Odd: m"
    server.clock_offset_seconds = 1000
    assert "the clocks of this machine and of the server" in failure(settings, Refused)
    with pytest.raises(CannotWrite, match="the clocks"):
        ObjectStore(settings).put(ObjectLocation("archives", "a"), b"", "text/plain")
    assert server.objects == {}


def test_a_busy_server_is_asked_again(
    server: S3Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[float] = []
    monkeypatch.setattr("lfr.outbound.object_store.time.sleep", delays.append)
    server.objects["a"] = b"1"
    server.failures = [(503, "SlowDown"), (500, "InternalError")]
    assert get(settings) == b"1"
    server.failures = [(503, "SlowDown")] * 3
    assert failure(settings, Unreachable).endswith("503 Service Unavailable: SlowDown: m")
    assert delays == [1, 2, 1, 2]
    assert "no connection" in failure(replace(settings, s3_endpoint="http://127.0.0.1:9"), Unreachable)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"s3_secret_key": ""}, "there is no key for S3 .*AWS_SECRET_ACCESS_KEY"),
        ({"s3_access_key": "a b"}, "s3.access_key: it has blanks"),
        ({"s3_region": "eu/1"}, "s3.region: it is no region"),
        ({"s3_endpoint": "minio:9000"}, "s3.endpoint: "),
        ({"s3_endpoint": "/srv"}, "s3.endpoint: it is no URL of a server"),
    ],
)
def test_settings_are_checked(settings: Settings, changes: dict[str, str], message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        ObjectStore(replace(settings, **changes))  # type: ignore[arg-type]


def test_uris() -> None:
    assert parse_object_uri("s3://b-1/x/y.json") == ObjectLocation("b-1", "x/y.json")
    assert parse_object_uri("s3://bb", "a.json") == ObjectLocation("bb", "a.json")
    assert str(parse_object_uri("s3://bb/x/", "a.json")) == "s3://bb/x/a.json"
    for uri in ("s3:bb/a", "S3://bb/a", "s3:///a", "s3://b b/a", "s3://bb", "s3://bb/a/", "s3://bb//a"):
        with pytest.raises(BadInput):
            parse_object_uri(uri)
    for key in ("a/../b", "./a", "a\nb", "ü" * 513, "\ud800"):
        with pytest.raises(BadInput):
            parse_object_uri(f"s3://bb/{key}")
    location = ObjectLocation("bb", "x/y.json")
    assert [location.is_in(entry) for entry in ("bb", "bb/x", "bb/x/", "b", "bb/y", "bb/x/y")] == (
        [True, True, True, False, False, False]
    )
