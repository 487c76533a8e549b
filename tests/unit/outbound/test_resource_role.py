"""How the role `resource` answers a task."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfr import events
from lfr.config.settings import Settings
from lfr.outbound.resources import ResourceClient
from lfr.roles.resource import load_or_store
from lfr.values.json import Json
from lfr.worker.failures import TaskFailed


def do(folder: Path, base: str, parameters: Json, input: Json = None) -> Json:
    task = events.StartTask("workflow:w", base, base, 3, input, parameters, 1)
    return load_or_store(ResourceClient(Settings(resources_allow=(str(folder),))), task)


def test_what_is_stored_can_be_loaded(tmp_path: Path) -> None:
    uri = (tmp_path / "a.yaml").as_uri()
    assert do(tmp_path, "resource:store", {"uri": uri}, {"x": 1}) == {}
    assert do(tmp_path, "resource:load", {"uri": uri}, {"ignored": True}) == {"x": 1}


@pytest.mark.parametrize(
    ("base", "parameters", "reason"),
    [
        (
            "resource:load",
            {"uri": "a.json"},
            "resource:load: 'a.json' is relative, and the flow was started without",
        ),
        (
            "resource:load",
            {"uri": "/none/a.json"},
            "resource:load: /none/a.json: it is not allowed: to allow",
        ),
        (
            "resource:store",
            {"uri": "/none/a.json"},
            "resource:store: /none/a.json: it is not allowed: to allow",
        ),
        (
            "resource:store",
            {"uri": "/a.json", "method": 5},
            "resource:store: method is 5, but must be one of",
        ),
    ],
)
def test_a_failure_names_the_task(tmp_path: Path, base: str, parameters: Json, reason: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        do(tmp_path, base, parameters)
    assert str(caught.value).startswith(reason)
