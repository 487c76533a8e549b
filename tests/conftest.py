"""Fixtures of all tests: Redis servers that are empty when a test begins; and the order of the tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Any

import hypothesis
import pytest
import redis

from lfr.host.valkey import ValkeyServer
from tests.support.servers import KINDS, program, running

BUSY = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
"""On a busy machine an example, or the making of examples, may take any time."""

hypothesis.settings.register_profile("lfr", **BUSY)
hypothesis.settings.register_profile("fast", **BUSY, max_examples=20)
hypothesis.settings.load_profile(os.environ.get("LFR_TEST_PROFILE", "lfr"))

SLOW_FIRST = (
    *("faults", "console", "systemd", "acceptance", "web", "integration"),
    *("fuzz", "model", "conformance", "unit"),
)
"""The folders of tests in the order in which they begin: at the end of a run, when the first worker is out of
tests, the files that the others still run are short."""


def fuzz_seed() -> str:
    """Return the seed of tests/fuzz: LFR_FUZZ_SEED, or the date in UTC."""
    return os.environ.get("LFR_FUZZ_SEED") or datetime.now(UTC).strftime("%Y%m%d")


def pytest_report_header() -> str:
    return f"LFR_FUZZ_SEED={fuzz_seed()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the slow folders. Files and the tests in them keep their order."""
    folders = {name: number for number, name in enumerate(SLOW_FIRST)}
    tests = config.rootpath / "tests"
    items.sort(key=lambda item: folders.get(item.path.relative_to(tests).parts[0], len(folders)))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape lone surrogates in reports: tests log some, and workers send their reports as UTF-8."""
    return encodable((yield))


def encodable(data: Any) -> Any:
    """Return JSON data with all of its lone surrogates escaped."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {name: encodable(value) for name, value in data.items()}
    return [encodable(each) for each in data] if isinstance(data, list | tuple) else data


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with the fixture `each_server` on every kind of server that is installed."""
    if "each_server" in metafunc.fixturenames:
        kinds = [kind for kind in KINDS if program(kind) or os.environ.get("CI") == "true"]
        metafunc.parametrize("each_server", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the tests, and all processes that they start, a state folder: a running `lfr up` of this user is
    none of theirs."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """The bundled server, one for each pytest worker."""
    with running("valkey", tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def each_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ValkeyServer]:
    """Each kind of server in turn."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def redis_url(server: ValkeyServer) -> str:
    """The address of the bundled server, which is empty."""
    return emptied(server)


def emptied(server: ValkeyServer) -> str:
    """Delete everything on a server. Return its address."""
    with redis.Redis.from_url(server.address.url) as client:
        client.flushall()
    return server.address.url


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Restore the signal handlers that a command of lfr, called in the test's process, has set."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
