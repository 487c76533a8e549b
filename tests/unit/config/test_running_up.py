"""Redis is found by a running `lfr up` if no setting says where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lfr.config.load import LoadedSettings, SourcedValue, load_settings, load_with_origins
from lfr.config.running_up import with_running_up
from lfr.errors import BadSettings, Unreachable
from lfr.host.up_registry import registered_up
from lfr.host.valkey import ValkeyServer
from lfr.host.valkey_address import write_address


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without settings."""
    for name in ("LFR_REDIS_URL", "LFR_DATA", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LFR_CONFIG", "/dev/null")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


@contextmanager
def up(server: ValkeyServer, *folders: Path) -> Iterator[None]:
    """Do what `lfr up` does to be found, with a server that runs."""
    with ExitStack() as stack:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            write_address(folder, server.address, server.pid)
            assert stack.enter_context(registered_up(folder))
        yield


def loaded(environment: dict[str, str] | None = None, **overrides: str) -> LoadedSettings:
    layer = {name: SourcedValue(value, f"--{name}") for name, value in overrides.items()}
    return load_with_origins(layer, config="/dev/null", environment=environment or {})


def test_with_nothing_set_it_is_the_one_that_runs(server: ValkeyServer, home: Path) -> None:
    assert with_running_up(loaded()).settings == loaded().settings
    with up(server, home / "data"):
        found = with_running_up(loaded())
        assert found.settings.redis_url == server.address.url
        assert found.origins["redis_url"] == f"lfr up in {home}/data"
        assert load_settings({}).redis_url == server.address.url
    assert with_running_up(loaded()).settings.redis_url == ""


@pytest.mark.parametrize(
    ("environment", "overrides", "url"),
    [
        ({"REDIS_HOST": "h"}, {}, ""),
        ({"REDIS_PORT": "6379"}, {}, ""),
        ({"REDIS_PASSWORD": "x"}, {}, ""),
        ({"LFR_REDIS_URL": "redis://h"}, {}, "redis://h"),
        ({"LFR_DATA": "nowhere"}, {"redis_host": "h"}, ""),
        ({"LFR_DATA": "nowhere", "LFR_REDIS_URL": "redis://h"}, {}, "redis://h"),
        ({"LFR_REDIS_URL": ""}, {}, "found"),
    ],
)
def test_settings_of_an_address_come_first(
    server: ValkeyServer, home: Path, environment: dict[str, str], overrides: dict[str, str], url: str
) -> None:
    with up(server, home / "data"):
        settings = with_running_up(loaded(environment, **overrides)).settings
        assert settings.redis_url == (server.address.url if url == "found" else url)


def test_the_installed_server_comes_after_settings_and_lfr_up(
    server: ValkeyServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = home / "lfr-valkey" / "valkey.sock"
    monkeypatch.setattr("lfr.host.valkey_address.INSTALLED_SOCKET", str(socket))
    assert with_running_up(loaded()).settings.redis_url == ""
    socket.parent.mkdir()
    found = with_running_up(loaded({"REDIS_USERNAME": ""}))
    assert found.settings.redis_url == f"unix://{socket}"
    assert found.origins["redis_url"] == "lfr-valkey.service"
    settings = with_running_up(loaded({"REDIS_PASSWORD": "secret"})).settings
    assert (settings.redis_url, settings.redis_password) == (f"unix://{socket}", "secret")
    assert with_running_up(loaded({"REDIS_HOST": "h"})).settings.redis_url == ""
    with up(server, home / "data"):
        assert with_running_up(loaded()).settings.redis_url == server.address.url


def test_a_server_with_a_password_is_found_with_it(home: Path) -> None:
    with ValkeyServer(home / "data", port=0, password="secret") as server, up(server, home / "data"):
        settings = with_running_up(loaded()).settings
        assert settings.redis_url == f"redis://127.0.0.1:{server.address.port}"
        assert settings.redis_password == "secret"


def test_the_folder_that_is_set_decides_among_several(server: ValkeyServer, home: Path) -> None:
    with up(server, home / "a", home / "b"):
        with pytest.raises(BadSettings, match=f"in {home}/a, {home}/b.*LFR_DATA"):
            with_running_up(loaded())
        environment = {"LFR_DATA": str(home / "b"), "REDIS_PASSWORD": "of another server"}
        found = with_running_up(loaded(environment)).settings
        assert (found.redis_url, found.redis_password) == (server.address.url, "")
        found = with_running_up(loaded({"LFR_REDIS_URL": "redis://h"}, up_data=str(home / "b"))).settings
        assert found.redis_url == server.address.url
    with pytest.raises(Unreachable, match=r"\$LFR_DATA: no lfr up runs in .*/c .lfr up --data .* starts one"):
        with_running_up(loaded({"LFR_DATA": str(home / "c")}))


def test_the_default_folder_comes_before_others(server: ValkeyServer, home: Path) -> None:
    with up(server, home / "a", home / "share" / "lfr"):
        assert with_running_up(loaded()).origins["redis_url"] == f"lfr up in {home}/share/lfr"


def test_what_a_killed_up_leaves_behind_is_not_found(server: ValkeyServer, home: Path) -> None:
    stack = ExitStack()
    stack.enter_context(up(server, home / "data"))
    stack.pop_all()  # as a process that is killed
    write_address(home / "data", server.address, 1)
    assert with_running_up(loaded()).settings.redis_url == ""
    (home / "state" / "lfr" / "up" / "garbage").write_bytes(b"\xff\0")
    assert with_running_up(loaded()).settings.redis_url == ""
    with up(server, home / "other"):
        assert with_running_up(loaded()).settings.redis_url == server.address.url


def test_another_user_cannot_say_which_one_runs(server: ValkeyServer, home: Path) -> None:
    """His server would get the inputs of this user. The folder may be one that an earlier version has made
    under another umask."""
    with up(server, home / "data"):
        [record] = (home / "state" / "lfr" / "up").iterdir()
        assert with_running_up(loaded()).settings.redis_url == server.address.url
        record.chmod(0o666)
        assert with_running_up(loaded()).settings.redis_url == ""
        record.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(record, 12_345, 12_345)
            assert with_running_up(loaded()).settings.redis_url == ""


def test_a_state_folder_that_cannot_be_written_stops_nothing(home: Path) -> None:
    (home / "state").touch()
    with registered_up(home) as is_registered:
        assert not is_registered
    assert with_running_up(loaded()).settings.redis_url == ""


def test_a_link_says_nothing(server: ValkeyServer, home: Path) -> None:
    """Another user, whose folder $XDG_STATE_HOME still names after `su`, can link to a file of this user."""
    with up(server, home / "data"):
        (file,) = (home / "state" / "lfr" / "up").iterdir()
        file.rename(home / "file")
        file.symlink_to(home / "file")
        assert with_running_up(loaded()).settings == loaded().settings
        file.unlink()
