"""`lfr demo`: run an example on the bundled Valkey and leave nothing behind."""

from __future__ import annotations

import os
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lfr.cli.bundle import Bundle, running_bundle
from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.signals import raise_when_children_die
from lfr.cli.ui.format_workflow import format_workflow
from lfr.cli.ui.terminal import Terminal
from lfr.cli.watch import EXIT_CODES_BY_STATE, watch_progress
from lfr.config.load import SourcedValue, load_with_origins
from lfr.errors import Conflict

FLOW_FILE: Final = Path(__file__).with_name("demo.flow")

_TIMEOUT_SECONDS: Final = 120.0


def _run(arguments: Namespace, terminal: Terminal) -> int:
    from lfr.host.child_processes import RoleProcesses, deferred_signals

    with ExitStack() as stack:
        with deferred_signals():
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="lfr-demo-")))
        roles = (
            ("lifecycle",),
            ("wait",),
            ("simulate", "--wait-period", "1.2"),
            ("receipts", "--to", str(folder / "receipts.jsonl")),
        )
        # Without the user's configuration, so that the demo is the same everywhere.
        processes = RoleProcesses({"LFR_CONFIG": os.devnull}, log_folder=folder)
        with running_bundle(folder, roles, processes) as bundle:
            raise_when_children_die(lambda: _find_death(bundle))
            if death := _find_death(bundle):
                raise death
            names = ", ".join(arguments[0] for arguments in roles)
            terminal.print_err(f"Valkey runs on {bundle.server.address.url}, with the roles {names}.")
            terminal.print_err("The flow, as in examples/demo.flow:\n")
            text = FLOW_FILE.read_text(encoding="utf-8")
            for line in text.splitlines():
                terminal.print_err(f"  {line}")
            terminal.print_err()
            return _run_flow(bundle, text, terminal)


def _run_flow(bundle: Bundle, text: str, terminal: Terminal) -> int:
    address = {"redis_url": bundle.server.address.url, "redis_username": "", "redis_password": ""}
    overrides = {name: SourcedValue(value, "lfr demo") for name, value in address.items()}
    settings = load_with_origins(overrides, environment={}, default_file=os.devnull).settings
    from lfr.operations.inspect.workflow import inspect_workflow
    from lfr.operations.start import start_workflow
    from lfr.store.redis.connection import open_store

    store = open_store(settings)
    id = start_workflow(store, text, source=FLOW_FILE.name).id
    state = watch_progress(store, id, terminal, timeout_seconds=_TIMEOUT_SECONDS)
    terminal.print_err()
    terminal.print_lines(format_workflow(terminal, inspect_workflow(store, id)))
    terminal.out.flush()
    return EXIT_CODES_BY_STATE.get(state, ExitCode.TIMED_OUT)


def _find_death(bundle: Bundle) -> Conflict | None:
    """Return an error, with the end of its log, if a role or the server has died; nothing would progress."""
    for process in bundle.processes.pop_exited():
        return Conflict(f"the role {process.name} has died: {process.log_tail() or 'its log is empty'}")
    if not bundle.server.is_running():
        return Conflict("the bundled Valkey has died")
    return None


HANDLER = Handler(
    lambda parser: None,
    _run,
    "Starts the bundled Valkey and the roles, runs a workflow, shows it, and stops everything again.",
    (("demo", ""),),
    (ExitCode.FAILED, ExitCode.INTERRUPTED, ExitCode.STOPPED),
)
