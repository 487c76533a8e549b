"""Archives in S3: the API writes them there and restores them, in the buckets that its settings name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lfr.store.redis.connection import Store
from lfr.web.app import make_app
from lfr.web.auth import AccessPolicy
from lfr.web.memory import ResponseMemory
from lfr.web.turns import Turns
from tests.support.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server, s3_server
from tests.web.conftest import Caller, start


@pytest.fixture
def s3() -> Iterator[S3Server]:
    with s3_server() as s3:
        yield s3


def caller(store: Store, s3: S3Server, **changes: Any) -> Caller:
    settings = replace(
        store.settings,
        archive_buckets=("archives/lfr",),
        s3_endpoint=s3.url,
        s3_region=REGION,
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
    )
    store = replace(store, settings=replace(settings, **changes))
    return Caller(make_app(store, AccessPolicy(is_open=True), max_body=100_000))


def test_an_archive_goes_to_s3_and_comes_back(store: Store, s3: S3Server) -> None:
    call = caller(store, s3)
    id = start(call, id="a:b")
    reply = call("POST", f"/workflows/{id}/archive", {"uri": "s3://archives/lfr/x.json"})
    assert (reply.status, reply.json) == (201, {"uri": "s3://archives/lfr/x.json"})
    reply = call("POST", f"/workflows/{id}/archive", {"uri": "s3://archives/lfr/"})
    assert reply.json == {"uri": "s3://archives/lfr/a-b.json"}
    assert json.loads(s3.objects["lfr/a-b.json"]) == json.loads(s3.objects["lfr/x.json"])
    assert s3.types["lfr/x.json"] == "application/json"
    reply = call("POST", "/workflows/restore?workflow=again", {"uri": "s3://archives/lfr/x.json"})
    assert (reply.status, reply.json) == (201, {"workflow": "workflow:again"})
    states = [call("GET", f"/workflows/{each}").json["state"] for each in (id, "again")]
    assert states == ["RUNNING", "TERMINATED"]


def test_a_token_reaches_the_named_buckets_alone(store: Store, s3: S3Server) -> None:
    call = caller(store, s3)
    id = start(call, id="a")
    s3.objects["secret.json"] = b"{}"
    for uri in ("s3://archives/secret.json", "s3://archives/lfr/../secret.json", "s3://other/lfr/a"):
        for path in (f"/workflows/{id}/archive", "/workflows/restore"):
            assert call("POST", path, {"uri": uri}).status in (400, 409)
    assert s3.requests == 0
    nowhere = caller(store, s3, archive_buckets=())
    reply = nowhere("POST", f"/workflows/{id}/archive", {"uri": "s3://archives/lfr/a"})
    assert (reply.status, reply.json["hint"]) == (409, "archive.buckets needs archives, or a folder in it")


def test_who_waits_for_s3_takes_a_turn_and_memory(
    store: Store, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is slow held all threads; what it returns was parsed without a look at the memory."""
    call = caller(store, s3, api_body=2**20)
    id = start(call, id="a")
    uri = {"uri": "s3://archives/lfr/a"}
    monkeypatch.setattr(Turns, "acquire", lambda turns: False)
    for path in (f"/workflows/{id}/archive", "/workflows/restore"):
        assert call("POST", path, uri).status == 503
    assert s3.requests == 0
    monkeypatch.undo()
    sizes: list[int] = []

    def acquire(_: ResponseMemory, size: int) -> int | None:
        sizes.append(size)
        return None if size > 100_000 else 0

    monkeypatch.setattr(ResponseMemory, "acquire", acquire)
    s3.objects["lfr/a"] = b" " * 100_000
    assert call("POST", "/workflows/restore", uri).status == 503
    assert sizes[-1] == 400_000


def test_all_that_match_are_archived_in_s3(store: Store, s3: S3Server) -> None:
    call = caller(store, s3)
    for id in ("a", "b"):
        start(call, id=id)
    body = {"action": "archive", "where": "since=1h"}
    for uri in ("s3://archives/lfr/nightly", "s3://archives/lfr/nightly/"):
        reply = call("POST", "/workflows/bulk", {**body, "uri": uri})
        assert (reply.status, reply.json["changed"]) == (200, 2)
    assert sorted(name.split(".")[0] for name in s3.objects) == ["lfr/nightly/a", "lfr/nightly/b"]
    refused = call("POST", "/workflows/bulk", {**body, "uri": "s3://archives/other/"})
    assert refused.status == 409 and "is in no bucket" in refused.json["detail"]
    refused = call("POST", "/workflows/bulk", {**body, "action": "pause", "uri": "s3://archives/lfr/"})
    assert refused.status == 400 and "archives nothing" in refused.json["detail"]


def test_problems_say_what_is_wrong(store: Store, s3: S3Server) -> None:
    call = caller(store, s3, archive_buckets=("archives", "none"), api_body=100)
    id = start(call, id="a")
    replies = [
        (404, "there is no such object", "/workflows/restore", {"uri": "s3://archives/none"}),
        (507, "there is no such bucket", f"/workflows/{id}/archive", {"uri": "s3://none/a"}),
        (400, "it is not s3://BUCKET/KEY", f"/workflows/{id}/archive", {"uri": "file:///tmp/a"}),
        (400, "uri is 1, but must be a text", f"/workflows/{id}/archive", {"uri": 1}),
        (400, "uri is 1, but must be a text", "/workflows/restore", {"uri": 1}),
        (400, "no other field, such as 'x'", "/workflows/restore", {"uri": "s3://archives/a", "x": 1}),
        (400, "it has more than 100 bytes", "/workflows/restore", {"uri": "s3://archives/long"}),
        (400, "it is not JSON", "/workflows/restore", {"uri": "s3://archives/odd"}),
    ]
    s3.objects |= {"long": b"1" * 101, "odd": b"<"}
    for status, detail, path, body in replies:
        reply = call("POST", path, body)
        assert reply.status == status and detail in reply.json["detail"], reply.json
    s3.failures = [(403, "AccessDenied")]
    assert call("POST", "/workflows/restore", {"uri": "s3://archives/a"}).status == 502
    keyless = caller(store, s3, s3_access_key="")
    reply = keyless("POST", f"/workflows/{id}/archive", {"uri": "s3://archives/lfr/a"})
    assert (reply.status, reply.json["detail"]) == (500, "there is no key for S3")


def test_a_name_of_which_no_address_can_be_made_is_not_restored(store: Store, s3: S3Server) -> None:
    """The page of such a workflow failed in the console, where it links to its flow."""
    call = caller(store, s3)
    document = call("GET", f"/workflows/{start(call, id='a')}/archive").json
    for part in (document["flow"], document["flow"]["steps"][1]):
        before, part["name"] = part["name"], "\ud800"
        refused = call("POST", "/workflows/restore", document)
        assert refused.status == 400 and "half of a surrogate pair" in refused.json["detail"]
        part["name"] = before
