"""Loads the tokens of the API from the settings, or from a file that the first start creates."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from lfr.config.settings import Settings
from lfr.errors import CannotWrite, NotFound
from lfr.host.files import make_folder
from lfr.host.user_folders import user_state_folder

_NAME: Final = "api-token"

_SERVICE_FOLDER: Final = Path("/var/lib/lfr")
"""$STATE_DIRECTORY of the installed roles."""


class Tokens(NamedTuple):
    """The tokens for everything and for reading only; empty: none. `file` holds the token if it was created
    here, not set."""

    operate: str
    read: str
    file: Path | None = None


def load_tokens(settings: Settings) -> Tokens:
    """Return the tokens of the settings. If they have none, it is the token in a file, created if it is
    missing. Raises CannotWrite if it cannot be stored or read."""
    if settings.api_token or settings.api_read_token:
        return Tokens(settings.api_token, settings.api_read_token)
    file = find_token_file(settings)
    return Tokens(_read_or_create(file), "", file)


def find_token_file(settings: Settings) -> Path:
    """Return the file of the token that counts if none is set: in the data folder of `lfr up` if that is the
    server, else in systemd's $STATE_DIRECTORY, else in the state folder of the user."""
    if settings.up_data:
        return Path(settings.up_data).expanduser() / _NAME
    return _state_folder() / _NAME


def read_token(settings: Settings) -> str:
    """Return the token that permits most: that of the settings, else that of the file.

    Raises NotFound if there is no file, and CannotWrite if nobody can read a token in it."""
    if settings.api_token or settings.api_read_token:
        return settings.api_token or settings.api_read_token
    for file in (find_token_file(settings), _SERVICE_FOLDER / _NAME):
        if os.access(file, os.R_OK):
            return _read_or_create(file)
    raise NotFound(
        f"there is no token yet, or not for you: {find_token_file(settings)}",
        hint="the first start of lfr api, lfr console or lfr up makes it",
    )


def _state_folder() -> Path:
    """Return systemd's $STATE_DIRECTORY, else the folder of the XDG Base Directory Specification."""
    systemd_folder = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if systemd_folder:
        return Path(systemd_folder)
    return user_state_folder()


def _read_or_create(file: Path) -> str:
    try:
        make_folder(file.parent)
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
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):
            os.link(temporary, file)
    finally:  # also if a signal ends the command
        temporary.unlink(missing_ok=True)
