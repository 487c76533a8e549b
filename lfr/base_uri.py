"""The base of a flow as people give it, a folder or a URL -> as the language takes it."""

from __future__ import annotations

import os
from typing import TypeAlias

from lfr.language.resolve import is_url

Base: TypeAlias = str | os.PathLike[str] | None
"""A folder, or a URL: what a flow's relative resources are resolved against. None leaves them as written."""


def absolute_base(base: Base) -> str | None:
    """A folder made absolute; a URL as it is."""
    if base is None:
        return None
    text = os.fspath(base)
    return text if is_url(text) else os.path.abspath(text)
