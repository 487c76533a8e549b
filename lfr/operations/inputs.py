"""The input of a workflow, checked."""

from __future__ import annotations

from lfr.errors import BadInput
from lfr.values.json import Json, NotJson, read_json, write_json


def checked_input(input: Json) -> Json:
    """The input of a workflow as it is kept. Raises BadInput unless it is an object or a list of JSON."""
    given = {} if input is None else input
    if not isinstance(given, dict | list):
        raise BadInput(f"the input is {str(given)[:40]}", hint="it must be an object or a list")
    try:
        return read_json(write_json(given).encode())
    except NotJson as error:
        raise BadInput(f"the input cannot be written as JSON: {error}") from None
