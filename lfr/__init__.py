"""lfr: a workflow engine for people who run servers.

The public names are imported at first use, so that `import lfr` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lfr.client import Client, TimedOut
    from lfr.errors import LfrError
    from lfr.flow import Flow
    from lfr.language import FlowError
    from lfr.local import LocalFailure, compile_flow, run_local
    from lfr.worker.context import Context, Fatal
    from lfr.worker.registry import task

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Context",
    "Fatal",
    "Flow",
    "FlowError",
    "LfrError",
    "LocalFailure",
    "TimedOut",
    "__version__",
    "compile_flow",
    "run_local",
    "task",
]

_MODULES = {
    "Client": "lfr.client",
    "TimedOut": "lfr.client",
    "LfrError": "lfr.errors",
    "Flow": "lfr.flow",
    "FlowError": "lfr.language",
    "LocalFailure": "lfr.local",
    "compile_flow": "lfr.local",
    "run_local": "lfr.local",
    "Context": "lfr.worker.context",
    "Fatal": "lfr.worker.context",
    "task": "lfr.worker.registry",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use. (PEP 562)"""
    if name not in _MODULES:
        raise AttributeError(f"module 'lfr' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
