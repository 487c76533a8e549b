"""Compiles and checks flow texts in the littleflow language. Pure: it does no I/O and runs nothing."""

from lfr.language.check import CheckResult, check_flow
from lfr.language.compile import FlowLimits, compile_flow
from lfr.language.diagnostics import Diagnostic, FlowError, Severity, format_diagnostics

__all__ = [
    "CheckResult",
    "Diagnostic",
    "FlowError",
    "FlowLimits",
    "Severity",
    "check_flow",
    "compile_flow",
    "format_diagnostics",
]
