"""The folders of this user that the XDG Base Directory Specification names."""

from __future__ import annotations

import os
from pathlib import Path


def user_data_folder() -> Path:
    """Return the folder of this user in which `lfr up` keeps its data unless it is given another one."""
    return _xdg_folder("XDG_DATA_HOME", "~/.local/share")


def user_state_folder() -> Path:
    """Return the folder of this user for what lfr has to remember between two commands."""
    return _xdg_folder("XDG_STATE_HOME", "~/.local/state")


def _xdg_folder(variable: str, default: str) -> Path:
    base = os.environ.get(variable, "")
    return Path(base if os.path.isabs(base) else default).expanduser() / "lfr"
