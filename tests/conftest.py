"""What all tests share: a server, empty at the beginning of each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
import redis

from lfr.host.valkey import ValkeyServer
from tests.support.servers import KINDS, program, running

hypothesis.settings.register_profile("lfr", deadline=None)  # a busy machine is no mistake
hypothesis.settings.load_profile("lfr")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for `each_server` run on every kind of server that there is here."""
    if "each_server" in metafunc.fixturenames:
        there = [kind for kind in KINDS if program(kind) or os.environ.get("CI") == "true"]
        metafunc.parametrize("each_server", there, indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """The bundled server."""
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
    """The address of a server, after everything on it has been deleted."""
    with redis.Redis.from_url(server.address.url) as client:
        client.flushall()
    return server.address.url
