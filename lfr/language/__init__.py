"""The littleflow language: text -> Flow. Pure: nothing is read, written or run."""

from lfr.language.check import Checked, check_flow
from lfr.language.compile import compile_flow
from lfr.language.errors import FlowError, FlowMistake, Severity, tell

__all__ = ["Checked", "FlowError", "FlowMistake", "Severity", "check_flow", "compile_flow", "tell"]
