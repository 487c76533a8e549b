"""Damaged append-only files: with what a server starts again, what is lost, what is kept."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path

import pytest
import redis

from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main
from lfr.host.append_only_file import cut_zeros, find_damage, find_file
from lfr.host.valkey import CannotStart, ValkeyServer
from lfr.host.valkey_address import Address, is_reachable, is_serving
from tests.support.waiting import STALL_SECONDS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The append-only file of a server that has written three keys, and one whose value ends with zeros."""
    with ValkeyServer(tmp_path) as server, redis.Redis.from_url(server.address.url) as client:
        for key in ("a", "b", "c"):
            client.set(key, key * 10)
        client.set("zeros", b"\0" * 100)
        with client.pipeline(transaction=True) as pipeline:
            pipeline.set("d", "d").set("e", "e").execute()
    path = find_file(tmp_path)
    assert path is not None
    return path


def keys(folder: Path) -> set[bytes]:
    """Start the server on a folder and return the keys that it has read."""
    with ValkeyServer(folder) as server, redis.Redis.from_url(server.address.url) as client:
        return set(client.keys())


ALL = {b"a", b"b", b"c", b"d", b"e", b"zeros"}


@pytest.mark.parametrize("zeros", [1, 4096, 200_000])
def test_zeros_at_the_end(tmp_path: Path, file: Path, zeros: int, caplog: pytest.LogCaptureFixture) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole + b"\0" * zeros)
    with caplog.at_level(logging.WARNING):
        assert keys(tmp_path) == ALL
    (copy,) = tmp_path.glob("*.damaged")
    assert copy.read_bytes() == whole + b"\0" * zeros
    assert f"cut {zeros:,} bytes off the end of {file}" in caplog.text and str(copy) in caplog.text
    assert cut_zeros(tmp_path) is None


@pytest.mark.parametrize("lost", [1, 5, 20, 40, 60])
def test_zeros_in_place_of_the_end(tmp_path: Path, file: Path, lost: int) -> None:
    """The last command or transaction was not written; Valkey drops what is left of it."""
    whole = file.read_bytes()
    file.write_bytes(whole[:-lost] + b"\0" * (lost + 1000))
    assert keys(tmp_path) == ALL - {b"d", b"e"}


def test_a_file_of_zeros(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"\0" * 100_000)
    assert keys(tmp_path) == set()


def test_a_file_without_damage(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    assert cut_zeros(tmp_path) is None and find_damage(tmp_path) is None
    assert main(["mend", str(tmp_path)]) == ExitCode.OK
    assert file.read_bytes() == whole and not list(tmp_path.glob("*.damaged"))


def test_damage_in_the_middle(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = file.read_bytes()
    start = whole.index(b"cccccccccc")
    file.write_bytes(whole[:start] + b"\0" * 20 + whole[start + 20 :])
    with pytest.raises(CannotStart) as caught:
        ValkeyServer(tmp_path).start()
    assert f"{file} is damaged at byte " in str(caught.value) and f"lfr mend {tmp_path} --cut" in str(
        caught.value
    )
    assert main(["mend", str(tmp_path)]) == ExitCode.CONFLICT
    assert "is damaged at byte" in capsys.readouterr().err
    assert main(["mend", str(tmp_path), "--cut"]) == ExitCode.OK
    assert "a copy of it is" in capsys.readouterr().err
    assert keys(tmp_path) == {b"a", b"b"}


def test_a_folder_in_use_is_not_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ValkeyServer(tmp_path):
        assert main(["mend", str(tmp_path)]) == ExitCode.CONFLICT
    assert main(["mend", str(tmp_path / "none")]) == ExitCode.NOT_FOUND
    assert "in use by process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ping", "loading", "expected"),
    [
        (b"+PONG\r\n", 0, True),
        (b"-MISCONF Errors writing to the AOF file: No space left on device\r\n", 0, True),
        (b"-LOADING Valkey is loading the dataset in memory\r\n", 1, False),
    ],
)
def test_a_server_with_a_full_disk_runs(ping: bytes, loading: int, expected: bool) -> None:
    """It answers INFO, and PING with an error."""
    sections = {
        b"server": b"# Server\r\nprocess_id:7\r\n",
        b"persistence": b"# Persistence\r\nloading:%d\r\n" % loading,
    }
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(3):
                connection, _ = listening.accept()
                with connection:
                    request = b""
                    while piece := connection.recv(4096):
                        request += piece
                        words = request.split(b"\r\n")
                        request = b""
                        for word in words:
                            if word == b"PING":
                                connection.sendall(ping)
                            elif word in sections:
                                connection.sendall(b"$%d\r\n%b\r\n" % (len(sections[word]), sections[word]))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = Address(port=listening.getsockname()[1])
        assert is_serving(address, 7) == is_reachable(address) == expected
        assert not is_serving(address, 8)
        thread.join(STALL_SECONDS)
