"""`lfr up`: the bundled server with a folder that lasts, and the roles, until it is told to stop."""

from __future__ import annotations

import logging
import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lfr.cli.bundle import Bundle, RoleLine, running_bundle
from lfr.cli.command_table import Handler, Handlers
from lfr.cli.exit_codes import NO_USE_TO_RESTART, Exit
from lfr.cli.ui.options import port
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import Layer, Sourced, load_with_origins
from lfr.config.settings import Settings

LOGGER = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS: Final = 0.25
_LONGEST_BACKOFF_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 60.0
"""Who has lived this long did not die of how it was started: the next start is at once again."""

_HOPELESS: Final = (*NO_USE_TO_RESTART, Exit.CANNOT_WRITE)
"""Exit codes after which it ends: who looks on can mend a disk that is full, and start it again."""


_SERVERS: Final = {"api": ("the API", 5000), "console": ("the console", 8000)}
"""Roles that are asked by HTTP: what each is called, and its usual port."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        "--data-dir",
        dest="data_folder",
        metavar="DIR",
        help="where the data is kept (default: $LFR_DATA, else ~/.local/share/lfr)",
    )
    parser.add_argument("--port", metavar="N", type=port, help="port of Valkey (default: a free one)")
    parser.add_argument(
        "--no-simulate", action="store_true", help="leave tasks to your own workers; else they are simulated"
    )
    for server, (what, usual) in _SERVERS.items():
        parser.add_argument(
            f"--{server}",
            metavar="HOST:PORT",
            help=f"where {what} listens (default: 127.0.0.1:{usual}, or a free port if that is taken)",
        )
        parser.add_argument(f"--no-{server}", action="store_true", help=f"without {what}")
    parser.add_argument("--receipts", metavar="FILE", help="keep a log of receipts (default: none is kept)")
    parser.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR")
    parser.add_argument("--config", metavar="FILE", default="", help="YAML file of settings")


def _run(arguments: Namespace, terminal: Terminal) -> int:
    settings = _settings(arguments)
    from lfr.host.data_folder import hold_data_folder
    from lfr.host.journal import set_up_logging
    from lfr.host.role_processes import RoleProcesses

    set_up_logging(settings.log_level, terminal.err)
    folder = Path(arguments.data_folder or settings.up_data or _default_folder()).expanduser().absolute()
    children = RoleProcesses({"LOG_LEVEL": settings.log_level})
    servers = {name: _address(arguments, name) for name in _SERVERS if not getattr(arguments, f"no_{name}")}
    roles = _roles(arguments, servers)
    with hold_data_folder(folder), running_bundle(folder, roles, children, port=arguments.port) as bundle:
        _greet(terminal, bundle, servers, simulates=not arguments.no_simulate)
        try:
            return _Keeper(bundle).keep()
        finally:
            terminal.say(f"lfr: stopping; the data stays in {folder}")


def _settings(arguments: Namespace) -> Settings:
    given: Layer = {}
    if arguments.log_level:
        given["log_level"] = Sourced(arguments.log_level, "--log-level")
    return load_with_origins(given, config=arguments.config).settings


def _default_folder() -> Path:
    """As the XDG Base Directory Specification has it."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return Path(base if os.path.isabs(base) else "~/.local/share") / "lfr"


def _address(arguments: Namespace, server: str) -> str:
    from lfr.host.ports import free_port

    given: str | None = getattr(arguments, server)
    return given or f"127.0.0.1:{free_port(_SERVERS[server][1])}"


def _roles(arguments: Namespace, servers: Mapping[str, str]) -> list[RoleLine]:
    config = ["--config", str(Path(arguments.config).absolute())] if arguments.config else []
    receipts = str(Path(arguments.receipts).absolute()) if arguments.receipts else os.devnull
    lines = [["lifecycle"], ["wait"], ["request"], ["resource"], ["redis"], ["receipts", "--to", receipts]]
    if not arguments.no_simulate:
        lines.append(["simulate"])
    lines += [[name, address] for name, address in servers.items()]
    return [[*line, *config] for line in lines]


def _greet(terminal: Terminal, bundle: Bundle, servers: Mapping[str, str], *, simulates: bool) -> None:
    terminal.print(f"lfr runs, with its data in {bundle.folder}. Ctrl-C stops it.")
    if "console" in servers:
        terminal.print(f"The console: http://{servers['console']}/")
    if "api" in servers:
        terminal.print(f"The API: http://{servers['api']}/workflows")
    terminal.print("In another terminal:\n")
    terminal.print(f"  export LFR_REDIS_URL={bundle.server.address.url}")
    terminal.print("  lfr run FILE --wait")
    terminal.print("  lfr list\n")
    terminal.print(f"or without the variable: lfr list --data {bundle.folder}")
    if simulates:
        terminal.print("Tasks are simulated. With workers of your own: lfr up --no-simulate")
    terminal.out.flush()


@dataclass(slots=True)
class _Lives:
    """When something was started last, and how long to wait before it is started again."""

    started: float = field(default_factory=time.monotonic)
    backoff: float = 0.5

    def next_start(self, now: float) -> float:
        """When to start it again, if it has died now: the sooner it died, the later."""
        self.backoff = (
            0.5 if now - self.started > _STEADY_SECONDS else min(2 * self.backoff, _LONGEST_BACKOFF_SECONDS)
        )
        return now + self.backoff


class _Keeper:
    """Starts again what dies, and says so."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._lives: dict[str, _Lives] = {child.name: _Lives() for child in bundle.children.running}
        self._due: list[tuple[float, RoleLine]] = []

    def keep(self) -> int:
        """Look after the server and the roles until one of them cannot be helped; that one's exit code."""
        while True:
            time.sleep(_LOOK_EVERY_SECONDS)
            self._keep_server()
            hopeless = self._bury()
            if hopeless is not None:
                return hopeless
            self._start_due()

    def _keep_server(self) -> None:
        server = self._bundle.server
        if not server.is_running():
            LOGGER.error("Valkey has died; starting it again at %s", server.address.url)
            self._bundle.restart_server()

    def _bury(self) -> int | None:
        now = time.monotonic()
        for child in self._bundle.children.pop_exited():
            code = child.process.returncode
            how = f"was killed by signal {-code}" if code < 0 else f"has ended with exit code {code}"
            if code in _HOPELESS:
                LOGGER.error("the role %s %s: to start it again is no use", child.name, how)
                return int(code)
            start_at = self._lives[child.name].next_start(now)
            LOGGER.error("the role %s %s; starting it again in %.0f s", child.name, how, start_at - now)
            self._due.append((start_at, child.arguments))
        return None

    def _start_due(self) -> None:
        now = time.monotonic()
        for start_at, line in self._due:
            if start_at <= now:
                self._lives[line[0]] = _Lives(now, self._lives[line[0]].backoff)
                self._bundle.children.start(line)
        self._due = [(start_at, line) for start_at, line in self._due if start_at > now]


HANDLERS: Handlers = {"up": Handler(_add_arguments, _run)}
