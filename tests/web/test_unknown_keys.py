"""Keys that nobody knows are refused by name, wherever people write keys, with the nearest that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lfr.config.load import load_with_origins
from lfr.errors import LfrError
from lfr.language import check_flow
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


@pytest.mark.parametrize(("text", "known"), [("redis: {hostt: a}", "host"), ("redi: {host: a}", "redis")])
def test_in_the_configuration(tmp_path: Path, text: str, known: str) -> None:
    file = tmp_path / "lfr.yaml"
    file.write_text(text)
    with pytest.raises(LfrError) as error:
        load_with_origins({}, config=str(file), environment={})
    assert known in str(error.value)
