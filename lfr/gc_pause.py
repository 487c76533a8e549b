"""Python's garbage collector, kept still while many objects are made that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collections() -> Iterator[None]:
    """Let the garbage collector rest. For work that makes much and throws nothing away that is a circle:
    the collector would look at all of it again and again, the longer the more there is, and find nothing.

    Threads may do so at the same time: it then runs again when the first of them is done.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
