"""Which `lfr up` of this user run, so that a command in another terminal finds their servers.

Each running `lfr up` has a file in the state folder of its user. The file holds the path of its data folder,
and `write_address` records the server there. A file that a killed `lfr up` has left behind does no harm: its
server is asked before it counts as running.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from lfr.errors import BadSettings, CannotWrite
from lfr.host.files import is_of_this_user_alone, make_folder, write_atomically
from lfr.host.user_folders import user_data_folder, user_state_folder
from lfr.host.valkey_address import Address, read_address

_FOLDER = "up"


@contextmanager
def registered_up(folder: Path) -> Iterator[bool]:
    """Register this process as the `lfr up` of a data folder for the block; yield whether that was possible.

    It is not if nothing can be written to the state folder of this user: then only `--data` finds the server.
    """
    file = user_state_folder() / _FOLDER / sha256(str(folder).encode()).hexdigest()[:16]
    is_registered = False
    with suppress(OSError, CannotWrite):
        make_folder(file.parent)
        _remove_stale(file.parent)
        write_atomically(file, f"{folder}\n", mode=0o600)
        is_registered = True
    try:
        yield is_registered
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def find_running_up() -> tuple[Path, Address] | None:
    """Return the data folder and the address of the `lfr up` of this user that runs; None if none does.

    If several run, it is the one with the default folder. Raises BadSettings if none of them has that.
    """
    addresses = {folder: read_address(folder) for _, folder in _registered()}
    running = {folder: address for folder, address in addresses.items() if address is not None}
    default = user_data_folder().absolute()
    if default in running:
        return default, running[default]
    if len(running) > 1:
        folders = ", ".join(sorted(map(str, running)))
        hint = "choose one by --data DIR or LFR_DATA"
        raise BadSettings(f"more than one lfr up runs: in {folders}", hint=hint)
    return next(iter(running.items()), None)


def _registered() -> Iterator[tuple[Path, Path]]:
    """Yield the file and the data folder of each `lfr up` that has registered itself. What another user may
    have written says nothing: his server would get the inputs of this one."""
    with suppress(OSError):
        for file in sorted((user_state_folder() / _FOLDER).iterdir()):
            if not file.name.startswith(".") and is_of_this_user_alone(file):
                with suppress(OSError, UnicodeDecodeError):
                    yield file, Path(file.read_text(encoding="utf-8").strip())


def _remove_stale(registry: Path) -> None:
    """Remove the files of data folders that are deleted."""
    for file, folder in list(_registered()):
        if file.parent == registry and not folder.is_dir():
            file.unlink(missing_ok=True)
