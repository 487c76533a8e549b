"""The drop-ins by which systemd gives a role the secrets that it alone needs.

`lfr@.service` loads what every role needs. A drop-in adds the rest, by the roles that a setting names: a
role that is taken over has no other role's secrets. systemd knows a drop-in by the instance, so a second
process of a role, such as `request.2`, has one of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lfr.config.settings import all_settings
from lfr.host.install_actions import Remove, Write

UNIT_FOLDER: Final = Path("/etc/systemd/system")

NAME: Final = "10-lfr-credentials.conf"
"""The name of each drop-in. An operator's own one, such as override.conf, comes after it."""

_HEAD: Final = """# The secrets that this role alone needs. Each lfr install overwrites this file.

[Service]
"""


def drop_in_writes(instances: Iterable[str]) -> Iterator[Write]:
    """Yield the actions that write the drop-ins: for each role that needs one, and for these instances of
    roles, such as `request.2`."""
    secrets: dict[str, list[str]] = {}
    for setting in all_settings():
        for role in setting.roles:
            secrets.setdefault(role, []).append(setting.name)
    for instance in dict.fromkeys([*secrets, *instances]):
        if names := secrets.get(instance.partition(".")[0]):
            text = _HEAD + "".join(map(_load_lines, names))
            yield Write(UNIT_FOLDER / f"lfr@{instance}.service.d" / NAME, text.encode())


def _load_lines(name: str) -> str:
    return f"LoadCredential={name}:/etc/lfr/credentials/{name}\nSetCredential={name}:\\n\n"


def drop_in_removals(folder: Path = UNIT_FOLDER) -> list[Remove]:
    """Return the actions that remove the drop-ins, with their folders if nothing else is in these."""
    files = sorted(folder.glob(f"lfr@*.service.d/{NAME}"))
    return [Remove(file.parent if holds_only_credentials(file.parent) else file) for file in files]


def holds_only_credentials(folder: Path) -> bool:
    """Return whether a drop-in folder holds the drop-in of lfr and nothing of an operator."""
    return folder.is_dir() and [each.name for each in folder.iterdir()] == [NAME]
