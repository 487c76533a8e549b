"""Resolving relative resources against a base."""

from __future__ import annotations

import pytest

from lfr.errors import BadInput
from lfr.language import FlowError, compile_flow
from lfr.language.resolve import is_url, parse_base, resolve_uri

FOLDER = "/srv/my flows"
URL = "https://flows.example/nightly/build.flow"


@pytest.mark.parametrize(
    ("uri", "in_folder", "at_url"),
    [
        ("set.json", "file:///srv/my%20flows/set.json", "https://flows.example/nightly/set.json"),
        ("./a/../set.json", "file:///srv/my%20flows/set.json", "https://flows.example/nightly/set.json"),
        ("../set.json", "file:///srv/set.json", "https://flows.example/set.json"),
        ("../../../set.json", "file:///set.json", "https://flows.example/set.json"),
        ("/etc/set.json", "file:///etc/set.json", "https://flows.example/etc/set.json"),
        ("größe.json", "file:///srv/my%20flows/gr%C3%B6%C3%9Fe.json", None),
        ("a%20b.json", "file:///srv/my%20flows/a%20b.json", None),
        ("100%.json", "file:///srv/my%20flows/100%25.json", None),
        ("a;b=1.json?x=1&y=[2]#part", "file:///srv/my%20flows/a;b=1.json?x=1&y=[2]#part", None),
        ("./data:1.json", "file:///srv/my%20flows/data:1.json", None),
        ("//other.example/x", "file://other.example/x", "https://other.example/x"),
        ("http://example.com/ä%", "http://example.com/ä%", "http://example.com/ä%"),
        ("file:///etc/x", "file:///etc/x", "file:///etc/x"),
        ("urn:x", "urn:x", "urn:x"),
    ],
)
def test_a_uri_is_resolved_against_a_folder_and_a_url(uri: str, in_folder: str, at_url: str | None) -> None:
    assert resolve_uri(uri, parse_base(FOLDER)) == in_folder
    assert resolve_uri(uri, parse_base(FOLDER + "/")) == in_folder
    if at_url is not None:
        assert resolve_uri(uri, parse_base(URL)) == at_url


def test_the_name_of_a_folder_may_be_anything() -> None:
    odd = "/a#b/c?d/100%/\udcff"
    assert resolve_uri("x", parse_base(odd)) == "file:///a%23b/c%3Fd/100%25/%FF/x"
    assert resolve_uri("x", parse_base("/")) == "file:///x"


@pytest.mark.parametrize("base", ["flows", "", "s3://bucket/x", "http:x", "http://", "http://[x", "urn:x"])
def test_a_base_that_cannot_be_used(base: str) -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        parse_base(base)
    with pytest.raises(BadInput, match="cannot be used"):
        compile_flow("A", base)


def test_a_url_has_a_scheme_and_slashes() -> None:
    assert [is_url(base) for base in ("https://x", "FILE:///x", "/a://b", "a:b", "://")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_sources_and_targets_of_a_flow_are_resolved() -> None:
    text = "<in.json> -> { A -> <out.json>(- method: PUT -) } -> <http://example.com/x>"
    assert [step.uri for step in compile_flow(text, "/srv").steps if step.uri] == [
        "file:///srv/in.json",
        "file:///srv/out.json",
        "http://example.com/x",
    ]
    assert [step.uri for step in compile_flow(text).steps if step.uri] == [
        "in.json",
        "out.json",
        "http://example.com/x",
    ]


def test_an_invalid_uri_is_an_error_at_its_location() -> None:
    with pytest.raises(FlowError) as caught:
        compile_flow("A\n  -> <//[x>", "/srv")
    (error,) = caught.value.errors
    assert (error.line, error.column) == (2, 6)
    assert "this URI cannot be read" in error.message


@pytest.mark.parametrize("text", ["<x>([1]) -> A", "A\n-> <y>(- 5 -)"])
def test_parameters_of_a_resource_are_an_object(text: str) -> None:
    with pytest.raises(FlowError, match="the parameters of a resource are an object") as caught:
        compile_flow(text)
    (error,) = caught.value.errors
    assert text.splitlines()[error.line - 1][error.column - 1] == "("
    assert compile_flow("<x>() -> A").steps[1].parameters is None
