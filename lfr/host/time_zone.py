"""The time zone of this host, by its name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_LINK: Final = "/etc/localtime"
_FOLDER: Final = "zoneinfo/"


def host_time_zone() -> str:
    """Return the name of this host's time zone, such as Europe/Berlin; UTC if nothing names it."""
    if name := os.environ.get("TZ", "").removeprefix(":"):
        return name
    with suppress(OSError):
        _, folder, name = os.readlink(_LINK).partition(_FOLDER)
        if folder:
            return name
    with suppress(OSError):
        return Path("/etc/timezone").read_text().strip() or "UTC"
    return "UTC"
