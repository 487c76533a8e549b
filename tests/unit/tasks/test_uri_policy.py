"""URIs and the list of what is allowed: what a hostile flow might try."""

from __future__ import annotations

import os

import pytest
import yaml
from hypothesis import find, given
from hypothesis import strategies as st

from lfr.tasks.allow_list import parse_allow_list
from lfr.tasks.uri_policy import BadLocation, FileLocation, WebLocation, parse_location

ALLOWED = (
    "https://api.example/v1/",
    "http://localhost:8080/data",
    "http://[::1]:81",
    "/srv/flows",
    "/srv/a b.json",
)


def allows(uri: str) -> bool:
    return parse_allow_list(ALLOWED).allows(parse_location(uri))


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.example/v1/",
        "https://api.example/v1/x/y.json?q=/../#part",
        "HTTPS://API.example:443/v1/x",
        "https://api.example/%76%31/x",
        "https://api.example./v1/x",
        "http://[0:0::1]:81/x",
        "https://api.example/v1/a%20b/ä",
        "http://localhost:8080/data",
        "http://localhost:8080/data?x",
        "http://localhost:8080/data/x",
        "http://[::1]:81/anything",
        "file:///srv/flows/x.json",
        "file://localhost/srv/flows/x.json",
        "/srv/flows/deep/x.json",
        "/srv/flows",
        "file:///srv/a%20b.json",
    ],
)
def test_what_begins_as_an_entry_is_allowed(uri: str) -> None:
    assert allows(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://api.example/v1/x",
        "https://api.example/v1",
        "https://api.example/v10/x",
        "https://api.example/",
        "https://api.example:444/v1/x",
        "https://api.example.evil/v1/x",
        "https://evil/https://api.example/v1/x",
        "https://evil/?https://api.example/v1/",
        "https://evil/#@api.example/v1/",
        "https://api.example/V1/x",
        "https://api.example/v1%2Fx",
        "http://localhost/data",
        "http://localhost:8080/database",
        "http://127.0.0.1:8080/data",
        "http://[::1]:82/",
        "http://[::2]:81/",
        "file:///srv/flows2/x.json",
        "file:///srv/x.json",
        "/srv/a b.json.bak".replace(" ", "%20"),
        "/etc/passwd",
        "/",
    ],
)
def test_what_only_looks_like_an_entry_is_not_allowed(uri: str) -> None:
    assert not allows(uri)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://api.example@evil/v1/", "no user or password"),
        ("https://api.example%40evil/v1/", "the host must be"),
        ("https://user:secret@api.example/v1/", "no user or password"),
        ("https://api.example\\@evil/v1/", "no blanks, control characters or backslashes"),
        ("https://api.exam\tple/v1/", "no blanks, control"),
        ("https://api.example/v1/\r\nHost: evil", "no blanks, control"),
        ("https://api.exämple/v1/", "the host must be"),
        ("https://%61pi.example/v1/", "the host must be"),
        ("https://api.example/v1/../x", "must not have . or .."),
        ("https://api.example/v1/%2e%2E/x", "must not have . or .."),
        ("https://api.example/v1/%252e%252e/x", "must not have . or .."),
        ("https://api.example/v1/.%2e/x", "must not have . or .."),
        ("https://api.example/v1/..%2Fx", "must not have . or .."),
        ("https://api.example/v1/..%5Cx", "must not have . or .."),
        ("https://api.example/v1/..;a=b/x", "must not have . or .."),
        ("https://api.example/v1/./x", "must not have . or .."),
        ("https://api.example:99999/v1/", "the port is not"),
        ("https://api.example:0x1bb/v1/", "the port is not"),
        ("https:///v1/", "the host must be"),
        ("https:api.example/v1/", "the host must be"),
        ("https://[::1/", "is no URI"),
        ("https://[v1.x]/", ""),
        ("ftp://api.example/v1/x", "not 'ftp'"),
        ("javascript:alert(1)", "not 'javascript'"),
        ("data:application/json,{}", "not 'data'"),
        ("file://evil/srv/flows/x", "a file has no host"),
        ("file:srv/flows/x", "not the absolute path"),
        ("file:///srv/flows/x%00.json", "not the absolute path"),
        ("/srv/flows/\ud800", "not the absolute path"),
        ("file:///srv/flows/x?y", "%3F"),
        ("file:///srv/flows/x#y", "%23"),
        ("data.json", "--base"),
        ("../data.json", "--base"),
        ("//api.example/v1/x", "--base"),
        ("?x", "--base"),
        ("", "--base"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_a_reason(uri: str, reason: str) -> None:
    with pytest.raises(BadLocation) as caught:
        parse_location(uri)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_url_is_built_from_the_parts_that_were_checked() -> None:
    location = parse_location("HTTP://LocalHost:080/%7euser/%c3%a4/a b?q=ü&r=%2f#part".replace(" ", "%20"))
    assert location == WebLocation("http", "localhost", 80, "/~user/%C3%A4/a%20b", "q=%C3%BC&r=%2F")
    assert str(location) == "http://localhost/~user/%C3%A4/a%20b?q=%C3%BC&r=%2F"
    assert str(parse_location("https://h:8443")) == "https://h:8443/"
    assert parse_location("/100%/%ff") == FileLocation("/100%/\udcff")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("data", "neither an absolute path nor a URL"),
        ("", "neither an absolute path nor a URL"),
        ("api.example/v1", "neither an absolute path nor a URL"),
        ("https://", "the host must be"),
        ("https://u@h/", "no user"),
        ("https://h/?q", "has a query"),
        ("https://h/a/../b", "must not have"),
        ("ftp://h/", "not 'ftp'"),
    ],
)
def test_an_entry_that_could_never_match_is_an_error(entry: str, reason: str) -> None:
    with pytest.raises(BadLocation) as caught:
        parse_allow_list([entry])
    assert reason in str(caught.value)


def test_nothing_is_allowed_at_first() -> None:
    assert not parse_allow_list(()).allows(FileLocation("/srv/x"))
    assert not parse_allow_list(()).allows(parse_location("http://localhost/"))


def test_the_root_as_an_entry_allows_every_file_and_no_url() -> None:
    allowed = parse_allow_list(["/"])
    assert allowed.allows(FileLocation("/etc/passwd"))
    assert not allowed.allows(parse_location("http://localhost/"))


@pytest.mark.parametrize(
    "uri", ["https://h:8443/a/b?c", "https://h", "http://[::1]/x", "/srv/a'b\"c/x", "/x"]
)
@pytest.mark.parametrize("before", [(), ("/srv/flows", "https://other/")])
def test_the_setting_in_a_refusal_allows_the_location(uri: str, before: tuple[str, ...]) -> None:
    location = parse_location(uri)
    assert not parse_allow_list(before).allows(location)
    reason = parse_allow_list(before).denial_reason(location)
    assert ("in place of" in reason) == bool(before)
    setting = yaml.safe_load(reason.partition("`")[2].rpartition("`")[0])
    assert tuple(setting["resources.allow"][:-1]) == before
    assert parse_allow_list(setting["resources.allow"]).allows(location)


WORDS = (
    "http https file ftp : // / \\ @ ? # . .. %2e %2f %25 % ; api.example evil v1 :443 :80 [::1] ä \uff0e x"
)
PIECES = st.sampled_from([*WORDS.split(" "), *" \n\0\ud800\udc80"])


URIS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30)
PATHS = st.lists(PIECES, max_size=10).map("".join)
SERVERS = st.sampled_from(["", "https://", "https://api.example", "https://api.example/"])


def is_location(uri: str) -> bool:
    try:
        parse_location(uri)
    except BadLocation:
        return False
    return True


def test_random_texts_are_locations_and_are_refused() -> None:
    """So the tests below have examples of both."""
    entry = "https://api.example/v1/"
    for texts, start in ((URIS, ""), (PATHS, entry)):
        for expected in (True, False):
            find(texts, lambda text, start=start, expected=expected: is_location(start + text) is expected)
    assert find(st.tuples(SERVERS, PATHS).map("".join), is_allowed_server)


def is_allowed_server(uri: str) -> bool:
    return is_location(uri) and parse_allow_list(["https://api.example"]).allows(parse_location(uri))


@given(URIS)
def test_any_text_is_a_location_or_refused(uri: str) -> None:
    try:
        location = parse_location(uri)
    except BadLocation:
        return
    if isinstance(location, FileLocation):
        assert os.fsencode(location.path).startswith(b"/")
    else:
        assert str(location).isascii()
        assert parse_location(str(location)) == location


@given(PATHS)
def test_whatever_follows_an_entry_names_the_same_server_and_the_same_path(rest: str) -> None:
    """As the library that sends the request parses it."""
    from urllib3.util import parse_url

    try:
        location = parse_location("https://api.example/v1/" + rest)
    except BadLocation:
        return
    assert parse_allow_list(["https://api.example/v1/"]).allows(location)
    url = parse_url(str(location))
    assert (url.scheme, url.auth, url.host, url.port) == ("https", None, "api.example", None)
    assert (url.path or "").startswith("/v1/")
    assert url.url == str(location)


@given(st.tuples(SERVERS, PATHS).map("".join))
def test_whatever_is_allowed_is_requested_from_an_allowed_server(uri: str) -> None:
    from urllib3.util import parse_url

    try:
        location = parse_location(uri)
    except BadLocation:
        return
    if isinstance(location, WebLocation) and parse_allow_list(["https://api.example"]).allows(location):
        url = parse_url(str(location))
        assert (url.scheme, url.auth, url.host, url.port or 443) == (
            "https",
            None,
            "api.example",
            443,
        )
