"""Compares two workflows: their flows, inputs, outputs, and what became of each step."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from typing import Any, Final

from lfr.operations.flow_changes import describe_changes
from lfr.operations.flow_runs import StepKey, key_steps, seconds_of
from lfr.operations.inspect.workflow import inspect_workflow, read_flow
from lfr.store.redis.connection import Store
from lfr.values.json import ABSENT, Json
from lfr.values.json_differences import find_differences
from lfr.values.texts import cut_json

MAX_DIFFERENCES: Final = 100
"""How many differences of two values are returned."""

MAX_CHANGES: Final = 1_000
"""How many lines the difference of two flows has."""

MAX_CHARACTERS: Final = 300
"""Characters of a value in a difference."""

_SUMMARY: Final = ("id", "name", "version", "state", "reason", "started", "ended", "labels")

_STEP: Final = ("index", "state", "started", "ended", "attempt", "tries", "reason")


def compare_runs(store: Store, first: str, second: str) -> dict[str, Any]:
    """Compare two workflows, of one flow or of two, as plain data.

    Keys: first, second: some keys of `inspect_workflow`, with `seconds` from start to end (None: it has not
    ended); changes, the lines in which their flows differ, as `describe_changes` returns them; input and
    output, each a list of up to MAX_DIFFERENCES objects: path, and first and second, what each has there as
    JSON text, cut to MAX_CHARACTERS (None: nothing); steps, in the order of the flow of `first`, then what
    `second` has beside. Keys of a step: title; first and second, some keys of `inspect_step` with `seconds`
    (None: it has no such step); input and output, whether they are the same (None: one has none, or it is too
    large to be compared).

    Raises BadInput for an id, and NotFound.
    """
    runs = [inspect_workflow(store, id) for id in (first, second)]
    flows = [read_flow(store, run["id"]) for run in runs]
    steps = [
        {key: run["steps"][step.index - flow.first] for key, step in key_steps(flow)}
        for run, flow in zip(runs, flows, strict=True)
    ]
    order = dict.fromkeys(chain.from_iterable(steps))
    return {
        "first": _describe_run(runs[0]),
        "second": _describe_run(runs[1]),
        "changes": list(islice(describe_changes(*flows), MAX_CHANGES)),
        "input": _describe_differences(runs[0]["input"], runs[1]["input"]),
        "output": _describe_differences(runs[0]["output"], runs[1]["output"]),
        "steps": [_compare_step(key, *(each.get(key) for each in steps)) for key in order],
    }


def _describe_run(run: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: run[name] for name in _SUMMARY}, "seconds": seconds_of(run)}


def _describe_differences(first: Json, second: Json) -> list[dict[str, Any]]:
    return [
        {
            "path": difference.path,
            "first": _brief(difference.first),
            "second": _brief(difference.second),
        }
        for difference in islice(find_differences(first, second), MAX_DIFFERENCES)
    ]


def _brief(value: Json) -> str | None:
    return None if value is ABSENT else cut_json(value, MAX_CHARACTERS)


def _compare_step(
    key: StepKey, first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "title": key.title,
        "first": _describe_step(first),
        "second": _describe_step(second),
        "input": _are_equal("input", first, second),
        "output": _are_equal("output", first, second),
    }


def _describe_step(step: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if step is None else {**{name: step[name] for name in _STEP}, "seconds": seconds_of(step)}


def _are_equal(name: str, first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> bool | None:
    if first is None or second is None or first[name] is None or second[name] is None:
        return None
    return next(find_differences(first[name], second[name]), None) is None
