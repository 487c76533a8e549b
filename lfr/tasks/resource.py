"""`resource:load` and `resource:store`: what is to be fetched or written, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lfr.tasks.catalogue import LOAD, STORE, find_built_in
from lfr.tasks.content_types import ContentType, Format, type_by_extension
from lfr.tasks.parameters import BadParameter, Parameter, bad_parameter, parse_parameters
from lfr.tasks.uri_policy import FileLocation, Location, parse_location
from lfr.values.checks import TEXT
from lfr.values.json import Json

_URI: Final = Parameter("uri", TEXT, "where it is", is_needed=True)

REPEATABLE: Final = ("PUT",)
"""Methods that may be done twice and leave the same. (RFC 9110, 9.2.2)"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a resource:load asks for. `type` is None if what is loaded decides."""

    place: Location
    type: ContentType | None


@dataclass(frozen=True, slots=True)
class Store:
    """What a resource:store asks for."""

    place: Location
    method: str
    type: ContentType


def parse_load(parameters: Json) -> Load:
    """What is to be loaded. Raises BadParameter, and BadLocation for its URI."""
    given = _read(LOAD, parameters)
    return Load(parse_location(given["uri"]), given["content-type"])


def parse_store(parameters: Json) -> Store:
    """What is to be stored, where and how. Raises BadParameter, and BadLocation for its URI."""
    given = _read(STORE, parameters)
    place = parse_location(given["uri"])
    type = given["content-type"] or type_by_extension(place.path)
    if not isinstance(place, FileLocation):
        return Store(place, given["method"] or "POST", type or ContentType("application/json", Format.JSON))
    if given["method"] not in (None, "PUT"):
        raise bad_parameter(STORE, "method", given["method"], "PUT for a file")
    if type is None:
        raise BadParameter(
            f"{STORE} needs the parameter content-type, for {place} does not end in .json or .yaml"
        )
    return Store(place, "PUT", type)


def _read(task: str, parameters: Json) -> dict[str, Any]:
    entry = find_built_in(task)
    assert entry, f"{task} is in the catalogue"
    return parse_parameters(task, (_URI, *entry.parameters), parameters)
