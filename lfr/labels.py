"""Labels: names and short values that a workflow carries, and by which it is found: `{"tenant": "7"}`.

Whoever starts a workflow sets them, and `@flow f (- labels: {tenant: 7} -)` does for all workflows of a flow.
Each label is an index in Redis, so their number and their length are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from lfr.errors import BadInput
from lfr.values.checks import abbreviate, mismatch
from lfr.values.json import Json, encode_json

LABELS_KEY: Final = "labels"
"""The key among the parameters of `@flow` that holds labels, and that of a request to start a workflow."""

MAX_LABELS: Final = 20
"""How many labels a workflow has, at most."""

MAX_VALUE: Final = 100
"""Characters of a value."""

NAME_WORDS: Final = "a letter, then letters, digits and _ . -, up to 63 of them"
VALUE_WORDS: Final = f"a number, true, false, or a text of 1 to {MAX_VALUE} printable characters"

_NAME: Final = re.compile(r"[A-Za-z][\w.-]{0,62}", re.ASCII)


def is_label_name(text: str) -> bool:
    """Return whether a text can be the name of a label."""
    return _NAME.fullmatch(text) is not None


def read_label_value(value: Json) -> str | None:
    """Return the value of a label as text: 7 and "7" are the same. None for what can be no value."""
    text = encode_json(value) if isinstance(value, bool | int | float) else value
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_VALUE:
        return None
    return text if text.isprintable() and text == text.strip() else None


def find_label_faults(parameters: Json) -> list[tuple[tuple[str, ...], str]]:
    """Return each fault in the labels among the parameters of `@flow`: the keys that lead to it, and a
    message."""
    if not isinstance(parameters, dict):
        return []
    if "label" in parameters:
        return [(("label",), f"@flow knows {LABELS_KEY}, but not label")]
    return [((LABELS_KEY, *path), message) for path, message in _faults(parameters.get(LABELS_KEY, {}))]


def declared_labels(parameters: Json) -> dict[str, str]:
    """Return the labels that the parameters of `@flow` set; none if they have faults: an earlier version has
    compiled them."""
    if not isinstance(parameters, dict) or LABELS_KEY not in parameters or find_label_faults(parameters):
        return {}
    return parse_labels(parameters[LABELS_KEY])


def parse_labels(labels: Json) -> dict[str, str]:
    """Return labels as texts by name. Raises BadInput that names each fault."""
    if faults := [message for _, message in _faults(labels)]:
        raise BadInput("; ".join(faults[:10]))
    return {name: text for name, value in labels.items() if (text := read_label_value(value)) is not None}


def parse_label(text: str) -> tuple[str, str]:
    """Return the name and the value in `NAME=VALUE`. Raises BadInput."""
    name, separator, value = text.partition("=")
    if not separator:
        raise BadInput(f"{abbreviate(text)} is no label", hint="NAME=VALUE, as tenant=7")
    ((name, value),) = parse_labels({name: value}).items()
    return name, value


def merge_labels(parameters: Json, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a workflow: those that the parameters of its `@flow` set, replaced and completed
    by its own, sorted by name. Raises BadInput if they are too many."""
    merged = {**declared_labels(parameters), **labels}
    if len(merged) > MAX_LABELS:
        message = f"the workflow would have {len(merged)} labels, with those of its flow"
        raise BadInput(message, hint=f"up to {MAX_LABELS}")
    return dict(sorted(merged.items()))


def _faults(labels: Json) -> Iterable[tuple[tuple[str, ...], str]]:
    if not isinstance(labels, dict):
        yield (), mismatch(LABELS_KEY, labels, "an object, as {tenant: 7}")
        return
    if len(labels) > MAX_LABELS:
        yield (), f"labels has {len(labels)} members, but must have up to {MAX_LABELS}"
        return
    for name, value in labels.items():
        if not is_label_name(name):
            yield (name,), mismatch("a label's name", name, NAME_WORDS)
        elif read_label_value(value) is None:
            yield (name,), mismatch(f"{LABELS_KEY}.{name}", value, VALUE_WORDS)
