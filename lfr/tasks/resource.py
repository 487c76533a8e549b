"""`resource:load` and `resource:store`: the resource that a task loads or stores, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lfr.step_options import LOAD, STORE
from lfr.tasks.catalogue import find_built_in
from lfr.tasks.content import ContentType, Format, type_by_extension
from lfr.tasks.parameters import BadParameter, Parameter, bad_parameter, parse_parameters
from lfr.tasks.uri_policy import FileLocation, Location, parse_location
from lfr.values.checks import TEXT
from lfr.values.json import Json

_URI: Final = Parameter("uri", TEXT, "where it is", is_needed=True)


@dataclass(frozen=True, slots=True)
class Load:
    """A resource to load. `type` is None if the content itself decides."""

    location: Location
    type: ContentType | None


@dataclass(frozen=True, slots=True)
class Store:
    """A resource to store."""

    location: Location
    method: str
    type: ContentType


def parse_load(parameters: Json) -> Load:
    """Return which resource a task loads. Raises BadParameter, and BadLocation for its URI."""
    values = _parse(LOAD, parameters)
    return Load(parse_location(values["uri"]), values["content-type"])


def parse_store(parameters: Json) -> Store:
    """Return where and how a task stores its input: a file by PUT; at a URL by default JSON by POST.

    Raises BadParameter, also if nothing tells the type of a file, and BadLocation for its URI.
    """
    values = _parse(STORE, parameters)
    location, method = parse_location(values["uri"]), values["method"]
    type = values["content-type"] or type_by_extension(location.path)
    if not isinstance(location, FileLocation):
        return Store(location, method or "POST", type or ContentType("application/json", Format.JSON))
    if method not in (None, "PUT"):
        raise bad_parameter(STORE, "method", method, "PUT for a file")
    if type is None:
        reason = f"{location} does not end in .json or .yaml"
        raise BadParameter(f"{STORE} needs the parameter content-type, for {reason}")
    return Store(location, "PUT", type)


def _parse(task: str, parameters: Json) -> dict[str, Any]:
    built_in = find_built_in(task)
    assert built_in, f"{task} is in the catalogue"
    return parse_parameters(task, (_URI, *built_in.parameters), parameters)
