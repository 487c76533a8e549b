"""`lfr mend` in a folder of another user: he gets nothing of the rights of who types it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lfr.cli.exit_codes import ExitCode
from lfr.cli.main import main

OTHER = 65_534

DAMAGED = b"*1\r\n$4\r\nPING\r\n" + b"x" * 200

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a server that runs as another user, who may put anything into it."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    (tmp_path / "data" / "appendonlydir").mkdir(parents=True)
    return tmp_path / "data"


def give_away(data: Path) -> None:
    for path in (data, *data.rglob("*")):
        os.chown(path, OTHER, OTHER, follow_symlinks=False)


def test_root_mends_it_as_its_owner(data: Path) -> None:
    file = data / "appendonlydir" / "appendonly.aof.1.incr.aof"
    file.write_bytes(DAMAGED)
    give_away(data)
    assert main(["mend", str(data)]) == ExitCode.CONFLICT
    assert main(["mend", str(data), "--cut"]) == ExitCode.OK
    assert file.read_bytes() == DAMAGED[:14]
    assert {path.stat().st_uid for path in data.rglob("*")} == {OTHER}
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.parametrize("name", ["valkey.lock", "appendonlydir/appendonly.aof.1.incr.aof"])
def test_its_links_lead_to_no_file_of_root(data: Path, name: str) -> None:
    victim = data.with_name("of-root")
    victim.write_bytes(DAMAGED)
    victim.chmod(0o600)
    (data / name).symlink_to(victim)
    give_away(data)
    assert main(["mend", str(data), "--cut"]) == ExitCode.CANNOT_WRITE
    assert victim.read_bytes() == DAMAGED
    assert [path for path in data.rglob("*") if path.is_file() and not path.is_symlink()] == []


def test_others_than_root_and_the_owner_may_not(data: Path) -> None:
    give_away(data)
    os.seteuid(1)
    try:
        assert main(["mend", str(data)]) == ExitCode.REFUSED
    finally:
        os.seteuid(0)
