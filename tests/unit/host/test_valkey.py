"""The bundled server and its data folder."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis

from lfr.errors import CannotWrite, Conflict, NotFound
from lfr.host import valkey
from lfr.host.valkey import CannotStart, ValkeyServer, hold_data_folder
from lfr.host.valkey_address import Address, is_serving, read_address, write_address
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_the_server_keeps_its_data(tmp_path: Path) -> None:
    for expected in (1, 2):
        with ValkeyServer(tmp_path) as server, redis.Redis.from_url(server.address.url) as client:
            assert client.incr("counter") == expected
            pid = server.pid
        assert pid is not None
        assert not alive(pid)
    assert not is_serving(server.address, pid)


def test_nobody_else_can_reach_the_server_or_read_its_data(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with ValkeyServer(tmp_path) as server, redis.Redis.from_url(server.address.url) as client:
        client.set("secret", 1)
        write_address(tmp_path, server.address, server.pid)
        assert client.config_get("port") == {"port": "0"}
        assert Path(server.address.path) == tmp_path / "valkey.sock"
        modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")}
    assert {"valkey.sock", "lfr-up.json", "appendonlydir", "valkey.lock"} <= modes.keys()
    assert set(modes.values()) == {0}, modes


def test_what_an_earlier_version_let_everybody_read_is_closed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "appendonlydir").mkdir(mode=0o755)
    (data / "of-mine.txt").touch(0o644)
    (data / "lfr-up.link").symlink_to(data / "of-mine.txt")
    old = ["valkey.log", "valkey.lock", "lfr-up.lock", "appendonlydir/appendonly.aof.1.incr.aof"]
    for name in old:
        (data / name).touch(0o644)
    (data / "appendonlydir" / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    with hold_data_folder(data), ValkeyServer(data) as server, redis.Redis.from_url(server.address.url):
        modes = {str(path.relative_to(data)): path.lstat().st_mode & 0o077 for path in data.rglob("*")}
    assert (modes.pop("of-mine.txt"), modes.pop("lfr-up.link")) == (0o044, 0o077)
    assert {*old[2:], "appendonlydir", "valkey.log.1"} <= modes.keys()
    assert set(modes.values()) == {0}, modes


def test_a_folder_to_which_everybody_can_write_is_refused(tmp_path: Path) -> None:
    """Somebody else might put links in place of its files."""
    tmp_path.chmod(0o777)
    with pytest.raises(CannotWrite, match="everybody can write to"), hold_data_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", ["data", "", "link"])
def test_a_folder_of_another_user_is_refused(tmp_path: Path, name: str) -> None:
    """He could put links in place of its files, and another server in place of this one."""
    (tmp_path / "of-other" / "data").mkdir(parents=True)
    (tmp_path / "of-other" / "link").symlink_to(tmp_path)
    os.chown(tmp_path / "of-other" / name, 65_534, 65_534, follow_symlinks=False)
    data = tmp_path / "of-other" / (name or "data")
    with pytest.raises(CannotWrite, match="belongs to another user"), hold_data_folder(data):
        pass
    assert not list(tmp_path.rglob("*.lock"))


def test_a_port_needs_the_password_which_no_process_list_shows(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, port=0, password="not-for-others") as server:
        arguments = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{server.pid}/environ").read_bytes()
        assert b"not-for-others" not in arguments + environment
        with redis.Redis(port=server.address.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis.from_url(server.address.url) as client:
            assert client.ping()
        write_address(tmp_path, server.address, server.pid)
        assert read_address(tmp_path) == server.address
        assert "not-for-others" not in repr(server.address)


def test_a_server_that_died_starts_again_at_its_address(tmp_path: Path) -> None:
    for server in (ValkeyServer(tmp_path / "a"), ValkeyServer(tmp_path / "b", port=0)):
        with server:
            address = server.address
            assert server.pid
            os.kill(server.pid, signal.SIGKILL)
            eventually(lambda server=server: not server.is_running())
            server.start()
            assert server.address == address
            assert server.is_running()


def test_a_long_path_has_its_socket_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with (
        ValkeyServer(tmp_path / ("x" * 120)) as server,
        redis.Redis.from_url(server.address.url) as client,
    ):
        assert client.ping()
        folder = Path(server.address.path).parent
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_port_that_is_taken_is_a_conflict(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path / "a", port=0) as server,
        pytest.raises(Conflict, match=str(server.address.port)),
    ):
        ValkeyServer(tmp_path / "b", port=server.address.port).start()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("a file, where the server wants a folder")
    with pytest.raises(CannotStart, match="does not start"):
        ValkeyServer(tmp_path).start()


def test_without_any_server_the_cpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(valkey.SERVER_VARIABLE, raising=False)
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(NotFound, match="vax"):
        valkey.find_server()


def test_a_named_server_that_does_not_exist_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(valkey.SERVER_VARIABLE, "/nowhere/valkey-server")
    with pytest.raises(NotFound, match="/nowhere/valkey-server"):
        valkey.find_server()


def test_a_bundled_server_that_may_not_be_run_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = tmp_path / "servers" / platform.machine() / "valkey-server"
    server.parent.mkdir(parents=True)
    server.touch(mode=0o644)
    monkeypatch.setattr(valkey, "__file__", str(tmp_path / "valkey.py"))
    monkeypatch.delenv(valkey.SERVER_VARIABLE)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match=f"may be run in {server.parent}"):
        valkey.find_server()
    server.chmod(0o755)
    assert valkey.find_server() == server


def test_a_server_is_waited_for_while_it_reads_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = valkey.probe
    seconds = 0.0

    def loading(address: Address) -> bytes:
        nonlocal seconds
        reply = probe(address)
        if seconds > 100 * valkey._START_SECONDS:
            return reply
        seconds += valkey._START_SECONDS / 2
        return reply.replace(b"loading:0", b"loading:1") or b"\nloading:1\r"

    monkeypatch.setattr(valkey, "probe", loading)
    monkeypatch.setattr(valkey, "time", SimpleNamespace(monotonic=lambda: seconds, sleep=time.sleep))
    with ValkeyServer(tmp_path) as server:
        assert server.is_running()


PARENT = """
import sys, time
from pathlib import Path
from lfr.host.valkey import ValkeyServer
server = ValkeyServer(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_the_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    eventually(lambda: not alive(pid))


def test_a_folder_is_the_servers_until_it_has_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        parent.send_signal(signal.SIGKILL)
    try:
        with monkeypatch.context() as impatience, pytest.raises(Conflict, match=f"by process {pid}$"):
            impatience.setattr(valkey, "_STOP_SECONDS", 0.1)
            ValkeyServer(tmp_path).start()
    finally:
        os.kill(pid, signal.SIGCONT)
    with ValkeyServer(tmp_path) as server:
        assert server.is_running()
        assert not alive(pid)
    assert (tmp_path / "valkey.log.1").exists()


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    again = hold_data_folder(tmp_path / "data")
    with hold_data_folder(tmp_path / "data"), pytest.raises(Conflict, match=str(os.getpid())), again:
        pass
    with hold_data_folder(tmp_path / "data"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="file/data"), hold_data_folder(tmp_path / "file" / "data"):
        pass


def test_an_address_counts_while_the_server_answers(tmp_path: Path) -> None:
    assert read_address(tmp_path) is None
    with ValkeyServer(tmp_path) as server:
        assert server.pid
        write_address(tmp_path, server.address, server.pid)
        assert read_address(tmp_path) == server.address
        write_address(tmp_path, server.address, server.pid + 1)  # another server has the port
        assert read_address(tmp_path) is None
        write_address(tmp_path, server.address, server.pid)
    assert read_address(tmp_path) is None
    (tmp_path / "lfr-up.json").write_text("garbage")
    assert read_address(tmp_path) is None
