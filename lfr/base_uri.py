"""Makes the base of a flow, a folder or a URL, absolute for the compiler."""

from __future__ import annotations

import os
from typing import TypeAlias

from lfr.language.resolve import is_url

Base: TypeAlias = str | os.PathLike[str] | None
"""The folder or URL against which a flow's relative resources are resolved; None leaves them as written."""


def absolute_base(base: Base) -> str | None:
    """Return a folder as an absolute path (from the working directory), a URL as it is, None as None."""
    if base is None:
        return None
    text = os.fspath(base)
    return text if is_url(text) else os.path.abspath(text)
