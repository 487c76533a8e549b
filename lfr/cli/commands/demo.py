"""`lfr demo`: an example from start to end on the bundled server, of which nothing is left behind."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lfr.cli.bundle import Bundle, running_bundle
from lfr.cli.command_table import Handler, Handlers
from lfr.cli.commands.run import EXIT_OF_STATE, look_on
from lfr.cli.exit_codes import Exit
from lfr.cli.ui.format_workflow import draw_workflow
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import Sourced, load_with_origins
from lfr.errors import Conflict

FLOW_FILE: Final = Path(__file__).with_name("demo.flow")

_LONGEST_SECONDS: Final = 120.0


def _add_arguments(parser: ArgumentParser) -> None:
    return


def _run(arguments: Namespace, terminal: Terminal) -> int:
    from lfr.host.role_processes import RoleProcesses

    with TemporaryDirectory(prefix="lfr-demo-") as temporary:
        folder = Path(temporary)
        roles = (
            ("lifecycle",),
            ("wait",),
            ("simulate", "--wait-period", "1.2"),
            ("receipts", "--to", str(folder / "receipts.jsonl")),
        )
        # Without the user's configuration: the demo is the same everywhere.
        children = RoleProcesses({"LFR_CONFIG": os.devnull}, log_folder=folder)
        with running_bundle(folder, roles, children) as bundle:
            signal.signal(signal.SIGCHLD, lambda *_: _check_alive(bundle))
            _check_alive(bundle)
            names = ", ".join(line[0] for line in roles)
            terminal.say(f"Valkey runs on {bundle.server.address.url}, with the roles {names}.")
            terminal.say("The flow, as in examples/demo.flow:\n")
            text = FLOW_FILE.read_text(encoding="utf-8")
            for line in text.splitlines():
                terminal.say(f"  {line}")
            terminal.say()
            return _show(bundle, text, terminal)


def _show(bundle: Bundle, text: str, terminal: Terminal) -> int:
    there = {"redis_url": bundle.server.address.url, "redis_username": "", "redis_password": ""}
    given = {name: Sourced(value, "lfr demo") for name, value in there.items()}
    settings = load_with_origins(given, environment={}, default_file=os.devnull).settings
    from lfr.operations.inspect.workflow import inspect_workflow
    from lfr.operations.start import start_workflow
    from lfr.store.redis.connection import connect

    store = connect(settings)
    started = start_workflow(store, text, source=FLOW_FILE.name)
    state = look_on(store, started.id, terminal, timeout_seconds=_LONGEST_SECONDS)
    terminal.say()
    for line in draw_workflow(terminal, inspect_workflow(store, started.id)):
        terminal.print(line)
    terminal.out.flush()
    return EXIT_OF_STATE.get(state, Exit.TIMED_OUT)


def _check_alive(bundle: Bundle) -> None:
    """A child has died. Raises Conflict with its last words, rather than to wait for what it would do."""
    for child in bundle.children.pop_exited():
        raise Conflict(f"the role {child.name} has died: {child.log_tail() or 'it says nothing'}")
    if not bundle.server.is_running():
        raise Conflict("the bundled Valkey has died")


HANDLERS: Handlers = {"demo": Handler(_add_arguments, _run)}
