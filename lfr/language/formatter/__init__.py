"""Formats flow texts: parses a text into a concrete syntax tree and prints that in the canonical layout."""

from lfr.language.formatter.printer import format_flow

__all__ = ["format_flow"]
