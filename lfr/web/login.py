"""Logs a browser in by a link that works once: `lfr up` prints it, and so does `lfr token --link`.

The link holds a code in its fragment, which browsers send to nobody. The console's page sends the code in a
request of its own and gets the token for it. The code stands in a file that only its user can read, so
whoever may read the token may make a link, and no process has to keep it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

from lfr.host.files import write_atomically
from lfr.web.problems import HttpError
from lfr.web.refusals import Refusals

PATH: Final = "/login"

_NAME: Final = "login-code"
_LIFE_SECONDS: Final = 3600.0
"""How long a link works, if nobody follows it."""


def make_link(url: str, token_file: Path) -> str:
    """Return a link that logs a browser in once, at the console with this URL, whose token is in this file.
    A link that was made before works no longer. Raises CannotWrite."""
    code = secrets.token_urlsafe(24)
    write_atomically(_code_file(token_file), code, mode=0o600)
    return f"{url}#login={code}"


def use_code(code: str, token_file: Path, client: str, refusals: Refusals) -> None:
    """Use the code of a link up. Raises HttpError (403, 429) if it is wrong, too old or was used before."""
    file = _code_file(token_file)
    current = ""
    with suppress(OSError, UnicodeDecodeError):
        if time.time() - file.stat().st_mtime < _LIFE_SECONDS:
            current = file.read_text(encoding="ascii")
    is_right = bool(current) and hmac.compare_digest(code.encode(), current.encode())
    refusals.check(client, is_right=is_right, length=len(code))
    if is_right:
        try:
            file.unlink()
        except OSError:  # another request was faster
            is_right = False
    refusals.note(client, is_right=is_right)
    if not is_right:
        raise HttpError(
            HTTPStatus.FORBIDDEN, "this link was used before, or is too old: lfr token --link makes another"
        )


def _code_file(token_file: Path) -> Path:
    return token_file.with_name(_NAME)
