"""The tokens that callers need: set, or made at the first start and kept."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final, NamedTuple

from lfr.errors import CannotWrite
from lfr.settings import Settings

_NAME: Final = "api-token"


class Tokens(NamedTuple):
    """The tokens for changes and for reading alone; empty: there is none. `file`: where one was made."""

    operate: str
    read: str
    file: Path | None = None


def tokens_for(settings: Settings, *, is_local: bool) -> Tokens:
    """The tokens to ask for. On loopback none is asked for unless one is set; anywhere else one is made if
    none is set. Raises CannotWrite if it cannot be kept.
    """
    if settings.api_token or settings.api_read_token or is_local:
        return Tokens(settings.api_token, settings.api_read_token)
    file = _folder() / _NAME
    return Tokens(_kept(file), "", file)


def _folder() -> Path:
    """Where systemd says ($STATE_DIRECTORY), else as the XDG Base Directory Specification has it."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME", "")
    return Path(base if os.path.isabs(base) else "~/.local/state").expanduser() / "lfr"


def _kept(file: Path) -> str:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        token = file.read_text().strip() if file.exists() else ""
        return token or _made(file)
    except OSError as error:
        what = f"the token cannot be kept in {file}: {error.strerror}"
        raise CannotWrite(what, hint="set api.token") from None


def _made(file: Path) -> str:
    """A new token, in a file of which nobody ever sees a half and nobody else reads."""
    token = secrets.token_urlsafe(32)
    beside = file.with_name(f".{file.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as new:
        new.write(f"{token}\n")
    beside.replace(file)
    return token
