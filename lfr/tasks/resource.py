"""`resource:load` and `resource:store`: what is to be fetched or written, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lfr.tasks.catalogue import LOAD, STORE, built_in
from lfr.tasks.content_types import ContentType, Form, type_by_ending
from lfr.tasks.parameters import TEXT, BadParameter, Parameter, bad_parameter, read_parameters
from lfr.tasks.uri_policy import FilePlace, Place, read_place
from lfr.values.json import Json

_URI: Final = Parameter("uri", TEXT, "where it is", is_needed=True)

REPEATABLE: Final = ("PUT",)
"""Methods that may be done twice and leave the same. (RFC 9110, 9.2.2)"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a resource:load asks for. `type` is None if what is loaded decides."""

    place: Place
    type: ContentType | None


@dataclass(frozen=True, slots=True)
class Store:
    """What a resource:store asks for."""

    place: Place
    method: str
    type: ContentType


def read_load(parameters: Json) -> Load:
    """What is to be loaded. Raises BadParameter, and BadPlace for its URI."""
    given = _read(LOAD, parameters)
    return Load(read_place(given["uri"]), given["content-type"])


def read_store(parameters: Json) -> Store:
    """What is to be stored, where and how. Raises BadParameter, and BadPlace for its URI."""
    given = _read(STORE, parameters)
    place = read_place(given["uri"])
    type = given["content-type"] or type_by_ending(place.path)
    if not isinstance(place, FilePlace):
        return Store(place, given["method"] or "POST", type or ContentType("application/json", Form.JSON))
    if given["method"] not in (None, "PUT"):
        raise bad_parameter(STORE, "method", given["method"], "PUT for a file")
    if type is None:
        raise BadParameter(
            f"{STORE} needs the parameter content-type, for {place} does not end in .json or .yaml"
        )
    return Store(place, "PUT", type)


def _read(task: str, parameters: Json) -> dict[str, Any]:
    entry = built_in(task)
    assert entry, f"{task} is in the catalogue"
    return read_parameters(task, (_URI, *entry.parameters), parameters)
