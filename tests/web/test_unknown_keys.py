"""Keys that nobody knows are refused by name, wherever people write keys, with the nearest that there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lfr.config.load import load_with_origins
from lfr.errors import BadInput, BadSettings, LfrError
from lfr.language import check_flow
from lfr.notices.rules import parse_rules
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from lfr.web.app import all_routes
from lfr.web.route import Route
from tests.web.conftest import Caller

ROUTES = list(all_routes())


def wrong(name: str) -> str:
    """Return a name as somebody may mistype it."""
    return name + name[-1]


def path_of(route: Route) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: "1" if part[1] == "index" else "x", route.path)


def refusal(reply: Any, key: str) -> str:
    """Return the hint of a reply that refuses a key by its name."""
    assert reply.status == 400, (reply.status, reply.body)
    assert repr(key) in reply.json["detail"]
    return str(reply.json["hint"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_in_the_query(call: Caller, route: Route) -> None:
    for known in [parameter.name for parameter in route.query] or [""]:
        key = wrong(known) if known else "nobody"
        hint = refusal(call(route.method, f"{path_of(route)}?{key}=1"), key)
        assert hint == (f"did you mean {known}?" if known else "it has none")


def bodies() -> Iterator[tuple[Route, str]]:
    for route in ROUTES:
        for name in route.body.get("application/json", {}).get("properties", {}):
            yield route, name


@pytest.mark.parametrize(("route", "name"), list(bodies()), ids=lambda each: getattr(each, "path", each))
def test_in_a_body(call: Caller, route: Route, name: str) -> None:
    key = wrong(name)
    assert refusal(call(route.method, path_of(route), {key: "x"}), key) == f"did you mean {name}?"


def test_in_a_form(call: Caller) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="workflows"\r\n\r\na\r\n--b--\r\n'
    media = "multipart/form-data; boundary=b"
    reply = call("POST", "/workflows/start/upload", form, content_type=media)
    assert refusal(reply, "workflows") == "did you mean workflow?"


FLOWS = [
    ("a (- lfr: {timeoutt: 1s} -)", "timeoutt", "timeout"),
    ("a (- lfr: {retry: {times: 1, delayy: 1s}} -)", "delayy", "delay"),
    ("* a (- lfr: {limitt: 1} -)", "limitt", "limit"),
    ("@task a (- lfr: {retryy: 1} -) a", "retryy", "retry"),
    ("<file:///a.json> (- lfr: {timeoutt: 1s} -) -> a", "timeoutt", "timeout"),
    ("@flow f (- lfr: {timeoutt: 1s} -) a", "timeoutt", "timeout"),
    ("@flow f (- lfr: {retry: 1} -) a", "retry", ""),
    ("@flow f (- lfrr: {timeout: 1s} -) a", "lfrr", "lfr"),
    ("@flow f (- timeout: 1s -) a", "timeout", ""),
    ("@flow f (- schedulee: {every: 1h} -) a", "schedulee", "schedule"),
    ("@flow f (- schedule: {everyy: 1h} -) a", "everyy", "every"),
    ("@flow f (- schedule: {every: 1h, timezonee: UTC} -) a", "timezonee", "timezone"),
    ("@flow f (- labelss: {a: b} -) a", "labelss", "labels"),
    ("@flow f (- {lfr: {timeout: 1s}, owner: ann} -) a", "owner", ""),
    ("@flow f (- {labels: {a: b}, x: 1} -) a", "x", ""),
    ("@flow f (- inputss: {a: {}} -) a", "inputss", "inputs"),
    ("@flow f (- inputs: {a: {typee: string}} -) a", "typee", "type"),
    ("flow:g (- versionn: 1 -)", "versionn", "version"),
    ("<https://x/a> (- methodd: POST -) -> a", "methodd", "method"),
    ("wait:delay (- durationn: 1 -)", "durationn", "duration"),
    ("wait:event (- {event: e, matchh: {}} -)", "matchh", "match"),
    ("request:post (- urll: x -)", "urll", "url"),
    ("redis:get (- {args: [a], keyy: b} -)", "keyy", "key"),
]


@pytest.mark.parametrize(("text", "key", "known"), FLOWS, ids=[text for text, _, _ in FLOWS])
def test_in_a_flow(text: str, key: str, known: str) -> None:
    errors = [each for each in check_flow(text).diagnostics if each.severity == "error"]
    messages = " ".join(f"{each.message} {each.hint}" for each in errors)
    assert key in messages
    assert not known or f"did you mean {known}?" in messages


@pytest.mark.parametrize(
    "parameters", ["x: 1", "owner: ann, mail: b", "labels: {a: b}, x-owner: ann", "x-lfr: 1"]
)
def test_parameters_for_readers_are_accepted(parameters: str) -> None:
    """Those of a flow of littleflow, and in a flow for lfr those that say so."""
    assert not check_flow(f"@flow f (- {{{parameters}}} -) a").diagnostics


@pytest.mark.parametrize(
    "place", [(), ("record",), ("items", "1"), ("history", 0), ("items", "1", "open", "0")]
)
def test_in_an_archive(store: Store, place: tuple[Any, ...]) -> None:
    id = start_workflow(store, "* a", [1]).id
    document = archive_workflow(store, id)
    child = {**document, "items": {}, "counts": [0, 0, 0, 0], "steps": {}, "outputs": {}}
    for name in ("format", "version", "id", "flow"):
        del child[name]
    counts = {"total": 1, "begun": 1, "done": 0, "round": 1, "values": {}, "outputs": {}}
    document["items"] = {"1": {**counts, "open": {"0": child}}}
    owner: Any = json.loads(json.dumps(document))
    whole = owner
    for name in place:
        owner = owner[name]
    known = next(iter(owner))
    owner[wrong(known)] = 1
    with pytest.raises(BadInput) as error:
        restore_workflow(store, whole, "workflow:copy")
    assert repr(wrong(known)) in error.value.message
    assert error.value.hint == f"did you mean {known}?"


@pytest.mark.parametrize(
    ("where", "key", "known"), [("flwo=a", "flwo", "flow"), ("label.a=b statee=FAILED", "statee", "state")]
)
def test_in_a_filter(call: Caller, where: str, key: str, known: str) -> None:
    reply = call("GET", f"/workflows?where={quote(where)}")
    assert reply.status == 400 and key in reply.json["detail"]
    assert reply.json["hint"] == f"did you mean {known}?"


def test_in_a_schedule(call: Caller) -> None:
    body = {"name": "s", "flow": "f", "schedule": {"everyy": "1h"}}
    parts = call("POST", "/schedules", body).json
    assert "everyy" in str(parts) and "did you mean every?" in str(parts)


@pytest.mark.parametrize(
    ("key", "text", "known"),
    [("whenn", "failed", "when"), ("flwo", "a", "flow"), ("when", "faild", "failed")],
)
def test_in_a_rule_of_notices(key: str, text: str, known: str) -> None:
    rule = {"r.when": "failed", "r.to": "command:a", f"r.{key}": text}
    with pytest.raises(BadSettings) as error:
        parse_rules(rule)
    assert f"did you mean {known}?" in str(error.value)


@pytest.mark.parametrize(("text", "known"), [("redis: {hostt: a}", "host"), ("redi: {host: a}", "redis")])
def test_in_the_configuration(tmp_path: Path, text: str, known: str) -> None:
    file = tmp_path / "lfr.yaml"
    file.write_text(text)
    with pytest.raises(LfrError) as error:
        load_with_origins({}, config=str(file), environment={})
    assert known in str(error.value)
