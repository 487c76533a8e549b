"""The files that lfr install puts on a host: units, users, folders, configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lfr.errors import NotFound

PREFIX: Final = "/usr/local/"
"""What the files name where the program is."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One of the files.

    target  where it goes; is_kept: what is there already stays, for people write into it
    """

    name: str
    target: str
    help: str
    is_kept: bool = False


FILES: Final = (
    UnitFile(
        "lfr@.service", "/etc/systemd/system/lfr@.service", "a role; lfr@lifecycle.2 is a second process"
    ),
    UnitFile("lfr.target", "/etc/systemd/system/lfr.target", "all roles of this host, and Valkey"),
    UnitFile(
        "lfr-valkey.service", "/etc/systemd/system/lfr-valkey.service", "the Valkey that comes with lfr"
    ),
    UnitFile("lfr.sysusers", "/etc/sysusers.d/lfr.conf", "the users lfr and lfr-valkey"),
    UnitFile("lfr.tmpfiles", "/etc/tmpfiles.d/lfr.conf", "folders and modes of the configuration"),
    UnitFile("lfr.yaml", "/etc/lfr/lfr.yaml", "settings; kept once it is there", is_kept=True),
    UnitFile(
        "valkey.conf", "/etc/lfr/valkey.conf", "configuration of Valkey; kept once it is there", is_kept=True
    ),
)

_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_PACKAGE / "units", _PACKAGE.parent / "units")
"""In the one file; in a checkout."""


def load_unit_file(name: str) -> str:
    """The text of one of the files, as it stands for /usr/local. Raises NotFound."""
    if name not in {file.name for file in FILES}:
        raise NotFound(f"there is no file {name}", hint="one of " + ", ".join(file.name for file in FILES))
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise NotFound(f"{name} is not in this installation of lfr: it travels in the one file")


def relocate_unit_file(text: str, prefix: Path, interpreter: str = "") -> str:
    """The text for a program below another folder, started by this interpreter if it is not its own."""
    program = f"ExecStart={PREFIX}bin/lfr "
    if interpreter:
        text = text.replace(program, f"ExecStart={interpreter} -sE {PREFIX}bin/lfr ")
    return text.replace(PREFIX, f"{prefix}/")
