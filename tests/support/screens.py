"""Terminals that keep what is written to them."""

from __future__ import annotations

from io import BytesIO, StringIO

from lfr.cli.ui.terminal import Terminal


class Screen(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(environment: dict[str, str] | None = None, *, live: bool = False) -> Terminal:
    """A terminal 100 columns wide; `live`: one that colours, and lines drawn again, would show on."""
    stream = Screen if live else StringIO
    return Terminal(stream(), stream(), BytesIO(), environment or {})


def written(stream: object) -> str:
    """What has been written to a stream of such a terminal."""
    assert isinstance(stream, StringIO)
    return stream.getvalue()
