"""Terminals that store their output."""

from __future__ import annotations

from io import BytesIO, StringIO

from lfr.cli.ui.terminal import Terminal


class Screen(StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(environment: dict[str, str] | None = None, *, live: bool = False) -> Terminal:
    """Return a terminal of 100 columns; `live`: one with colours and lines that are drawn again."""
    stream = Screen if live else StringIO
    return Terminal(stream(), stream(), BytesIO(), environment or {})


def written(stream: object) -> str:
    """Return everything that was written to a stream of such a terminal."""
    assert isinstance(stream, StringIO)
    return stream.getvalue()
