"""`lfr fmt`: a flow's text in its one canonical layout. Read into entries, then written line by line."""

from lfr.language.formatter.format import format_flow

__all__ = ["format_flow"]
