"""The tokens that callers need: set, or made at the first start and kept."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final, NamedTuple

from lfr.config.settings import Settings
from lfr.errors import CannotWrite

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
        if not file.exists():
            _make(file)
        token = file.read_text().strip()
    except OSError as error:
        what = f"the token cannot be kept in {file}: {error.strerror}"
        raise CannotWrite(what, hint="set api.token") from None
    if not token:
        raise CannotWrite(f"there is no token in {file}", hint="delete the file, and a new one is made")
    return token


def _make(file: Path) -> None:
    """Put a new token into a file of which nobody ever sees a half and nobody else reads. If another process
    has been faster, its token stays. (link(2) fails if the name is taken)"""
    descriptor, beside = mkstemp(prefix=f".{file.name}.", dir=file.parent)  # with mode 0600
    try:
        with os.fdopen(descriptor, "w") as new:
            new.write(f"{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):
            os.link(beside, file)
    finally:
        os.unlink(beside)
