"""lfr: a workflow engine for people who run servers."""

__version__ = "0.1.0"
