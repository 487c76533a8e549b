"""Schedules by the API and by the Python client."""

from __future__ import annotations

import pytest

from lfr import Client
from lfr.errors import Conflict, NotFound
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.store.redis.connection import Store
from tests.web.conftest import Caller

CRON = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def flow(store: Store) -> None:
    apply_flows(store, [FlowSource("@flow f (- schedule: {every: 1h} -)\nA")])


def test_the_life_of_a_schedule(call: Caller) -> None:
    assert [each["name"] for each in call("GET", "/schedules").json] == ["f"]
    made = call("POST", "/schedules", {"name": "s", "flow": "f@1", "schedule": CRON})
    assert (made.status, made.headers["Location"]) == (201, "/schedules/s")
    assert (made.json["schedule"], made.json["flow"], len(made.json["upcoming"])) == (CRON, "f@1", 20)
    assert {each["local"][11:16] for each in made.json["upcoming"]} <= {"02:30", "03:00"}
    paused = call("POST", "/schedules/s/pause", {"reason": "the store moves"})
    assert (paused.status, paused.json["paused"]) == (200, "the store moves (loopback)")
    assert call("POST", "/schedules/s/pause").status == 409
    triggered = call("POST", "/schedules/s/trigger")
    assert triggered.status == 201
    id = triggered.json["workflow"]
    assert triggered.headers["Location"] == f"/workflows/{id}".replace(":", "%3A")
    assert call("GET", f"/workflows/{id}").json["version"] == 1
    resumed = call("POST", "/schedules/s/resume").json
    assert (resumed["paused"], resumed["running"]) == (None, [id])
    assert [each["outcome"] for each in resumed["outcomes"]] == ["resumed", "triggered", "paused"]
    assert call("POST", "/schedules/s/resume").status == 409
    assert call("DELETE", "/schedules/s").status == 204
    assert call("GET", "/schedules/s").status == 404
    assert call("DELETE", "/schedules/f").status == 409


def test_a_backfill(call: Caller) -> None:
    body = {"from": "2026-01-01T00:00Z", "to": "2026-01-01T02:00Z"}
    shown = call("POST", "/schedules/f/backfill", {**body, "dry_run": True}).json
    assert shown == {"times": 3, "workflows": [f"workflow:f-20260101T0{n}0000Z" for n in range(3)]}
    assert call("GET", "/workflows").json == []
    assert call("POST", "/schedules/f/backfill", body).json == shown
    assert call("POST", "/schedules/f/backfill", body).json == {"times": 3, "workflows": []}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/schedules", {"name": "s", "schedule": {"crn": "x"}, "flow": "f"}, 400, "did you mean cron?"),
        ("/schedules", {"name": "s", "schedule": CRON}, 404, "no flow is stored under the name s"),
        ("/schedules", {"name": "s", "schedule": []}, 400, "schedule must be an object"),
        ("/schedules", {"name": 5, "schedule": CRON}, 400, "name is 5, but must be a text"),
        ("/schedules", {"name": "f", "schedule": CRON}, 409, "there is a schedule f already"),
        ("/schedules/f/backfill", {"from": "x", "to": "y"}, 400, "ISO 8601"),
        ("/schedules/f/backfill", {"from": "x"}, 400, "to is missing: a text"),
        ("/schedules/f/pause", {"reason": 1}, 400, "reason is 1, but must be a text"),
        ("/schedules/g/trigger", None, 404, "there is no schedule g"),
    ],
)
def test_each_error_is_a_problem(call: Caller, path: str, body: object, status: int, words: str) -> None:
    reply = call("POST", path, body) if body is not None else call("POST", path)
    assert reply.status == status and words in reply.json["detail"]


def test_by_the_python_client(redis_url: str) -> None:
    lfr = Client(redis_url)
    assert lfr.add_schedule("s", CRON, "f")["times"] == "30 2 * * *"
    lfr.pause_schedule("s", "for now")
    assert lfr.schedule("s")["paused"].startswith("for now (")
    lfr.resume_schedule("s")
    id = lfr.trigger_schedule("s")
    assert lfr.inspect(id)["name"] == "f"
    assert len(lfr.backfill_schedule("s", "2026-03-28", "2026-03-31")) == 3
    lfr.remove_schedule("s")
    assert [each["name"] for each in lfr.schedules()] == ["f"]
    with pytest.raises(NotFound):
        lfr.schedule("s")
    with pytest.raises(Conflict):
        lfr.remove_schedule("f")
