"""The littleflow language: text -> Flow. Pure: nothing is read, written or run."""

from lfr.language.compile import compile_flow
from lfr.language.errors import FlowError, FlowMistake

__all__ = ["FlowError", "FlowMistake", "compile_flow"]
