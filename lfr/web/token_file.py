"""Loads the tokens of the API from the settings, or from a file that the first start creates."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final, NamedTuple

from lfr.config.settings import Settings
from lfr.errors import CannotWrite
from lfr.host.user_folders import user_state_folder

_NAME: Final = "api-token"


class Tokens(NamedTuple):
    """The tokens for everything and for reading only; empty: none. `file` holds the token if it was created
    here, not set."""

    operate: str
    read: str
    file: Path | None = None


def load_tokens(settings: Settings, *, is_local: bool) -> Tokens:
    """Return the tokens that the server requires.

    On loopback, only tokens of the settings count. At other addresses, if none is set, it is the token in a
    file of the state folder, created if it is missing. Raises CannotWrite if it cannot be stored or read.
    """
    if settings.api_token or settings.api_read_token or is_local:
        return Tokens(settings.api_token, settings.api_read_token)
    file = _state_folder() / _NAME
    return Tokens(_read_or_create(file), "", file)


def _state_folder() -> Path:
    """Return systemd's $STATE_DIRECTORY, else the folder of the XDG Base Directory Specification."""
    systemd_folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if systemd_folder:
        return Path(systemd_folder)
    return user_state_folder()


def _read_or_create(file: Path) -> str:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _create(file)
        token = file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        token = ""
    except OSError as error:
        message = f"cannot store the token in {file}: {error.strerror}"
        raise CannotWrite(message, hint="set api.token") from None
    if not (token.isascii() and token.isprintable() and token):
        raise CannotWrite(
            f"there is no token in {file}: it is one line of ASCII characters",
            hint="delete the file; the next start creates a token",
        )
    return token


def _create(file: Path) -> None:
    """Create the file with a new token, atomically and with mode 0600.

    If another process creates it first, its token stays. (link(2) fails if the name exists)
    """
    descriptor, temporary = mkstemp(prefix=f".{file.name}.", dir=file.parent)  # with mode 0600
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        os.unlink(temporary)
