"""`lfr up`: run the bundled Valkey and all roles, with the data in one folder, until it is stopped."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lfr.cli.bundle import Bundle, RoleArguments, running_bundle
from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import PERMANENT_FAILURES, ExitCode
from lfr.cli.ui.options import add_flag, parse_port
from lfr.cli.ui.terminal import Terminal
from lfr.config.load import Layer, RedisSource, SourcedValue, load_with_origins
from lfr.config.settings import Settings

LOGGER = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.25
_MIN_BACKOFF_SECONDS: Final = 0.5
_MAX_BACKOFF_SECONDS: Final = 30.0
_STABLE_SECONDS: Final = 60.0
"""After this uptime, the restart backoff is reset."""

_FATAL: Final = (*PERMANENT_FAILURES, ExitCode.CANNOT_WRITE)
"""Exit codes of a role that end `lfr up`. A full disk is one of them: a person has to make room first."""

_URL_FILE: Final = "valkey.url"
"""The file of the data folder that has the URL of Valkey with its password, for workers."""

_SIMULATED: Final = "Tasks that no worker does are simulated: their output is their input."
_NOT_SIMULATED: Final = (
    "Tasks that no worker does wait for one (lfr tasks FILE.py), or for lfr up --simulate."
)

_SERVERS: Final = {"api": ("the API", 5000), "console": ("the console", 8000)}
"""The title and the default port of each role that serves HTTP."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        "--data-dir",
        dest="data_folder",
        metavar="DIR",
        help="folder of the data (default: $LFR_DATA, else ~/.local/share/lfr)",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=parse_port,
        help="port of Valkey, with a new password (default: none, it listens on a unix socket)",
    )
    add_flag(parser, "--simulate", "complete tasks that no worker does: their output is their input")
    for server, (title, port) in _SERVERS.items():
        parser.add_argument(
            f"--{server}",
            metavar="HOST:PORT",
            help=f"where {title} listens (default: 127.0.0.1:{port}, or a free port if that is in use)",
        )
        add_flag(parser, f"--no-{server}", f"do not run {title}")
    parser.add_argument("--receipts", metavar="FILE", help="log receipts to FILE (default: no log)")
    parser.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR")
    parser.add_argument("--config", metavar="FILE", default="", help="YAML file with settings")


def _run(arguments: Namespace, terminal: Terminal) -> int:
    overrides: Layer = {}
    if arguments.log_level:
        overrides["log_level"] = SourcedValue(arguments.log_level, "--log-level")
    loaded = load_with_origins(overrides, config=arguments.config)
    settings = loaded.settings
    from lfr.host.child_processes import RoleProcesses
    from lfr.host.journal import set_up_logging
    from lfr.host.up_registry import registered_up
    from lfr.host.user_folders import user_data_folder
    from lfr.host.valkey import hold_data_folder

    set_up_logging(settings.log_level, terminal.err)
    folder = Path(arguments.data_folder or settings.up_data or user_data_folder()).expanduser().absolute()
    processes = RoleProcesses({"LOG_LEVEL": settings.log_level})
    servers = {name: _address(arguments, name) for name in _SERVERS if not getattr(arguments, f"no_{name}")}
    roles = _roles(arguments, servers, settings)
    with (
        hold_data_folder(folder),
        running_bundle(folder, roles, processes, port=arguments.port) as bundle,
        registered_up(folder) as is_registered,
    ):
        is_found = is_registered and loaded.redis_source in (RedisSource.UP_FOLDER, RedisSource.NOTHING)
        _print_addresses(terminal, bundle, servers, settings, is_found=is_found)
        terminal.print(_SIMULATED if arguments.simulate else _NOT_SIMULATED)
        terminal.out.flush()
        try:
            return _Supervisor(bundle).run()
        finally:
            terminal.print_err(f"lfr: stopping; the data stays in {folder}")


def _address(arguments: Namespace, server: str) -> str:
    """Return where a server listens, with a free port if none is given, or 0. Raises BadInput."""
    from lfr.host.valkey_address import free_port
    from lfr.web.server import Address, parse_address

    text: str | None = getattr(arguments, server)
    default = Address("127.0.0.1", _SERVERS[server][1])
    address = default if text is None else parse_address(text, default)
    if text is None or address.port == 0:
        address = Address(address.host, free_port(address.port))
    return str(address)


def _roles(arguments: Namespace, servers: Mapping[str, str], settings: Settings) -> list[RoleArguments]:
    config = ["--config", str(Path(arguments.config).absolute())] if arguments.config else []
    receipts = str(Path(arguments.receipts).absolute()) if arguments.receipts else os.devnull
    roles = [["lifecycle"], ["wait"], ["request"], ["resource"], ["redis"], ["receipts", "--to", receipts]]
    if arguments.simulate:
        roles.append(["simulate"])
    if settings.traces_endpoint:
        roles.append(["traces"])
    if settings.notify_rules or settings.notify_alive_url:
        roles.append(["notify"])
    roles += [[name, address] for name, address in servers.items()]
    return [[*role, *config] for role in roles]


def _print_addresses(
    terminal: Terminal, bundle: Bundle, servers: Mapping[str, str], settings: Settings, *, is_found: bool
) -> None:
    """Print where everything is; the console with a link that logs a browser in once. `is_found` says
    whether other commands find the server with nothing set."""
    program, option = _program_name(), "" if is_found else f" --data {bundle.folder}"
    terminal.print(f"lfr runs, with its data in {bundle.folder}. Ctrl-C stops it.")
    if "console" in servers:
        terminal.print(f"The console: {_console_link(servers['console'], bundle.folder, settings)}")
    if "api" in servers:
        terminal.print(f"The API: http://{servers['api']}/workflows")
    terminal.print(
        f"In another terminal:\n\n  {program} run FILE --wait{option}\n  {program} list{option}\n"
        f"  {program} token{option}  # for programs that use the API\n"
    )
    terminal.print(f"For other programs: export LFR_REDIS_URL={_url_for_shell(bundle)}")


def _console_link(address: str, folder: Path, settings: Settings) -> str:
    """Return the URL of the console, with what logs a browser in unless the settings have a token, or say
    that none is needed. Raises CannotWrite."""
    url = f"http://{address}/"
    if settings.api_token or settings.api_read_token or settings.api_require_token != "always":
        return url
    from lfr.web.login import make_link
    from lfr.web.token_file import find_token_file

    return make_link(url, find_token_file(replace(settings, up_data=str(folder))))


def _url_for_shell(bundle: Bundle) -> str:
    """Return what a shell takes for the URL of Valkey. A password stands in a file that only this user reads.
    Raises CannotWrite."""
    from lfr.host.files import write_atomically

    address, file = bundle.server.address, bundle.folder / _URL_FILE
    if not address.password:
        file.unlink(missing_ok=True)
        return shlex.quote(address.url)
    write_atomically(file, f"{address.url}\n", mode=0o600)
    return f"$(cat {shlex.quote(str(file))})"


def _program_name() -> str:
    """Return what to type for this program: `lfr` if the PATH leads to this file, else the file."""
    file = Path(sys.argv[0])
    on_path = shutil.which("lfr")
    if file.name == "__main__.py":
        return "python3 -m lfr"
    if file.is_file() and (on_path is None or not Path(on_path).samefile(file)):
        return shlex.quote(str(file.absolute()))
    return "lfr"


@dataclass(slots=True)
class _Backoff:
    """When a role was last started, and the delay before its next start."""

    started: float = field(default_factory=time.monotonic)
    delay: float = _MIN_BACKOFF_SECONDS

    def next_start(self, now: float) -> float:
        """Return when to start the role again. Each early death doubles the delay."""
        is_stable = now - self.started > _STABLE_SECONDS
        self.delay = _MIN_BACKOFF_SECONDS if is_stable else min(2 * self.delay, _MAX_BACKOFF_SECONDS)
        return now + self.delay


class _Supervisor:
    """Restarts the server and the roles when they die, and logs that."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._backoffs: dict[str, _Backoff] = {
            process.name: _Backoff() for process in bundle.processes.running
        }
        self._pending_starts: list[tuple[float, RoleArguments]] = []

    def run(self) -> int:
        """Supervise until a role ends with a fatal exit code; return that code."""
        while True:
            time.sleep(_POLL_SECONDS)
            self._check_server()
            fatal_code = self._check_roles()
            if fatal_code is not None:
                return fatal_code
            self._start_due_roles()

    def _check_server(self) -> None:
        server = self._bundle.server
        if not server.is_running():
            LOGGER.error("Valkey has died; starting it again")
            self._bundle.start_server()

    def _check_roles(self) -> int | None:
        now = time.monotonic()
        for process in self._bundle.processes.pop_exited():
            code = process.process.returncode
            end = f"was killed by signal {-code}" if code < 0 else f"has ended with exit code {code}"
            if code in _FATAL:
                LOGGER.error("the role %s %s: a restart would not help", process.name, end)
                return int(code)
            start_at = self._backoffs[process.name].next_start(now)
            LOGGER.error("the role %s %s; starting it again in %.0f s", process.name, end, start_at - now)
            self._pending_starts.append((start_at, process.arguments))
        return None

    def _start_due_roles(self) -> None:
        now = time.monotonic()
        for start_at, arguments in self._pending_starts:
            if start_at <= now:
                self._backoffs[arguments[0]].started = now
                self._bundle.processes.start(arguments)
        self._pending_starts = [pending for pending in self._pending_starts if pending[0] > now]


HANDLER = Handler(
    _add_arguments,
    _run,
    "Runs until Ctrl-C or SIGTERM. A role that dies is started again. The commands of this user find it, "
    "in any terminal, unless settings say where Redis is; --data with the same folder finds it in any case.",
    (
        ("up", ""),
        ("up --data ./data --port 7379", "for workers in languages that know no unix sockets"),
        ("up --simulate", "with no workers yet"),
    ),
    (ExitCode.CONFLICT, ExitCode.CANNOT_WRITE, ExitCode.INTERRUPTED, ExitCode.STOPPED),
)
