"""Resources by the built file: files and a server, through Redis, by the role."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lfr import Client
from tests.support.processes import lfr, role
from tests.support.waiting import STALL_SECONDS, eventually
from tests.support.web import Page, WebServer, web_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "resources"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example that may be changed."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "my resources"))


@pytest.fixture
def roles(redis_url: str) -> Iterator[str]:
    """The address of a Redis with the roles that the tests need, except `resource`."""
    with ExitStack() as stack:
        stack.enter_context(role("lifecycle", url=redis_url))
        stack.enter_context(role("simulate", "--wait-period", "0.01", url=redis_url))
        yield redis_url


def test_the_example_needs_the_setting_that_its_failure_names(
    roles: str, folder: Path, tmp_path: Path
) -> None:
    config = tmp_path / "lfr.yaml"
    config.touch()
    with role("resource", "--config", str(config), url=roles):
        done = lfr("run", str(folder / "bill.flow"), "--wait", "--json", url=roles)
    failed = json.loads(done.stdout)
    assert (done.returncode, failed["state"]) == (1, "FAILED")
    assert " load order.yaml failed" in done.stderr
    assert f"resource:load: {folder}/order.yaml: it is not allowed" in failed["reason"]
    assert not (folder / "bill.json").exists()

    config.write_text(failed["reason"].partition("`")[2].rpartition("`")[0])
    with role("resource", "--config", str(config), url=roles):
        assert lfr("restart", failed["id"], url=roles).returncode == 0
        assert Client(roles).wait(failed["id"], timeout=STALL_SECONDS)["state"] == "FINISHED"
    steps = {step["index"]: step for step in Client(roles).inspect(failed["id"])["steps"]}
    assert (steps[1]["uri"].rpartition("/")[2], steps[1]["sink"]) == ("order.yaml", False)
    bill = json.loads((folder / "bill.json").read_text())
    assert bill["date"] == "2026-01-31"
    assert [line["pieces"] for line in bill["lines"]] == [200, 150]


def test_pages_are_loaded_and_stored_relative_to_a_base(roles: str, tmp_path: Path) -> None:
    flow = tmp_path / "pages.flow"
    flow.write_text("<in.yaml> -> * A -> <../out> (- method: PUT -)")
    with web_server() as server, role("resource", url=roles, more={"LFR_RESOURCES_ALLOW": server.url}):
        server.pages |= {"/v1/in.yaml": Page(b"[{x: 1}, {x: 2}]"), "/out": Page(status=204)}
        done = lfr("run", str(flow), "--base", f"{server.url}/v1/", "--wait", "--json", url=roles)
    outcome = json.loads(done.stdout)
    assert (done.returncode, outcome["output"]) == (0, {}), outcome["reason"]
    assert [(request.method, request.path) for request in server.requests] == [
        ("GET", "/v1/in.yaml"),
        ("PUT", "/out"),
    ]
    assert json.loads(server.requests[1].content) == [{"x": 1}, {"x": 2}]


def test_a_page_that_fails_is_loaded_again_by_a_restart(roles: str, tmp_path: Path) -> None:
    server: WebServer
    with web_server() as server, role("resource", url=roles, more={"LFR_RESOURCES_ALLOW": server.url}):
        flow = tmp_path / "pages.flow"
        flow.write_text(f"<{server.url}/in.json> -> A")
        server.pages["/in.json"] = Page(b"back soon", status=503)
        done = lfr("run", str(flow), "--wait", "--json", url=roles)
        failed = json.loads(done.stdout)
        assert done.returncode == 1
        assert failed["reason"].endswith("/in.json: it answers 503 Service Unavailable: back soon")
        server.pages["/in.json"] = Page(b'{"x": 1}')
        assert lfr("restart", failed["id"], url=roles).returncode == 0
        assert Client(roles).wait(failed["id"], timeout=STALL_SECONDS)["output"] == {"x": 1}


def test_a_store_whose_role_is_killed_is_repeated_with_the_same_key(roles: str, tmp_path: Path) -> None:
    released = threading.Event()
    with web_server() as server:
        more = {"LFR_RESOURCES_ALLOW": server.url, "LFR_TASKS_LEASE": "1"}
        server.pages["/out"] = Page(status=201, hold=released)
        flow = tmp_path / "store.flow"
        flow.write_text(f"A -> <{server.url}/out>")
        try:
            with role("resource", url=roles, more=more) as killed:
                id = lfr("run", str(flow), "--input", '{"x": 1}', url=roles).stdout.strip()
                eventually(lambda: server.requests)
                killed.kill()
        finally:
            released.set()
        with role("resource", url=roles, more=more):
            assert Client(roles).wait(id, timeout=STALL_SECONDS)["state"] == "FINISHED"
    first, second = server.requests
    assert (first.method, first.content) == (second.method, second.content)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["idempotency-key"].startswith(f"{id}/2/")


def test_a_list_that_could_never_match_stops_the_role(redis_url: str) -> None:
    done = lfr("resource", url=redis_url, more={"LFR_RESOURCES_ALLOW": "data"})
    assert done.returncode == 78
    assert "resources.allow: 'data' is neither an absolute path nor a URL" in done.stderr
