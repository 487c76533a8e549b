"""What resource:load and resource:store load and store, by their parameters."""

from __future__ import annotations

import pytest

from lfr.tasks.content import Format
from lfr.tasks.http import idempotency_key
from lfr.tasks.parameters import BadParameter
from lfr.tasks.resource import Store, parse_load, parse_store
from lfr.tasks.uri_policy import FileLocation
from lfr.values.json import Json


def test_a_load() -> None:
    load = parse_load({"uri": "file:///srv/a.json"})
    assert (load.location, load.type) == (FileLocation("/srv/a.json"), None)
    explicit = parse_load({"uri": "http://h/a", "method": "GET", "content-type": "text/yaml"})
    assert explicit.type is not None
    assert explicit.type.format is Format.YAML


@pytest.mark.parametrize(
    ("parameters", "method", "format"),
    [
        ({"uri": "/srv/a.json"}, "PUT", Format.JSON),
        ({"uri": "/srv/a.yml", "method": "PUT"}, "PUT", Format.YAML),
        ({"uri": "/srv/a", "content-type": "text/plain"}, "PUT", Format.TEXT),
        ({"uri": "http://h/a"}, "POST", Format.JSON),
        ({"uri": "http://h/a.yaml", "method": "PUT"}, "PUT", Format.YAML),
        ({"uri": "http://h/a.tar", "method": "PATCH"}, "PATCH", Format.JSON),
        ({"uri": "http://h/a.yaml", "content-type": "application/json"}, "POST", Format.JSON),
    ],
)
def test_a_store(parameters: Json, method: str, format: Format) -> None:
    store = parse_store(parameters)
    assert isinstance(store, Store)
    assert (store.method, store.type.format) == (method, format)


@pytest.mark.parametrize(
    ("parse", "parameters", "reason"),
    [
        (
            parse_load,
            {"uri": "/a", "method": "POST"},
            'resource:load: method is "POST", but must be one of GET',
        ),
        (parse_load, {"uri": "/a", "method": 1}, "resource:load: method is 1, but must be one of GET"),
        (
            parse_load,
            {"uri": "/a", "content-type": "json"},
            'resource:load: content-type is "json", but must',
        ),
        (parse_load, {}, "resource:load needs the parameter uri"),
        (parse_load, [], "resource:load: the parameters are [], but must be an object"),
        (parse_load, {"uri": 5}, "resource:load: uri is 5, but must be a text"),
        (parse_store, {"uri": "/a.json", "method": "POST"}, 'method is "POST", but must be PUT for a file'),
        (parse_store, {"uri": "http://h/", "method": "DELETE"}, "must be one of POST, PUT, PATCH"),
        (parse_store, {"uri": "/a"}, "resource:store needs the parameter content-type, for /a does not end"),
        (parse_store, {"uri": "/a.json", "content-type": []}, "content-type is [], but must be a media type"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value(parse: object, parameters: Json, reason: str) -> None:
    assert callable(parse)
    with pytest.raises(BadParameter) as caught:
        parse(parameters)
    assert reason in str(caught.value)


def test_the_key_of_a_store_is_the_same_for_the_same_step_and_content() -> None:
    key = idempotency_key("workflow:x", 3, {"a": 1})
    assert key.startswith("workflow:x/3/")
    assert key == idempotency_key("workflow:x", 3, {"a": 1})
    assert key != idempotency_key("workflow:x", 3, {"a": 2})
    assert key != idempotency_key("workflow:x", 4, {"a": 1})
    assert idempotency_key("workflow:ü€ 1", 3, {}).isascii()
