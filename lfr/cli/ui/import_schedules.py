"""`lfr schedule import`: write flow texts for crontabs and timers of systemd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import read_flow_text
from lfr.cli.ui.terminal import Terminal
from lfr.errors import CannotWrite, Conflict
from lfr.values.printable import printable

if TYPE_CHECKING:
    from lfr.schedules.imported import Import, ImportedSchedule

_TIMER: Final = ".timer"
_LONGEST_NAME: Final = 256
"""The characters of a unit's name. (systemd.unit(5))"""

_OF_THE_SYSTEM: Final = ("/etc/crontab", "/etc/cron.d/")


def import_schedules(
    files: list[str], folder: str, zone: str | None, terminal: Terminal, *, as_json: bool
) -> ExitCode | None:
    """Write a flow text into `folder` for each schedule in these files. `zone` is the time zone of their
    times; None: that of this host. Print what was written, and what cannot be carried over.

    Return CONFLICT if something cannot be. Raises NotFound and Refused for a file, CannotWrite, and Conflict
    if a flow text exists with another content.
    """
    from lfr.host.time_zone import host_time_zone

    imports = [_read(file, zone or host_time_zone(), terminal) for file in files]
    schedules = [each for one in imports for each in one.schedules]
    refusals = [refusal for one in imports for refusal in one.refusals]
    written = [(schedule, _write(Path(folder), schedule)) for schedule in schedules]
    if as_json:
        terminal.print_json({"files": [str(path) for _, path in written], "refused": refusals})
    else:
        terminal.print_lines(line for schedule, path in written for line in _lines(schedule, path))
    for refusal in refusals:
        terminal.print_err(printable(refusal))
    if written:
        terminal.print_err(
            f"lfr apply {printable(folder)} stores them; each task, named above, needs a worker (lfr tasks)"
        )
    return ExitCode.CONFLICT if refusals else None


def _read(file: str, zone: str, terminal: Terminal) -> Import:
    from lfr.schedules.crontab import read_crontab
    from lfr.schedules.timer_unit import read_command, read_timer_unit, service_of

    text, source = read_flow_text(file, terminal)
    text = text.encode(errors="surrogateescape").decode(errors="replace")
    if not file.endswith(_TIMER):
        has_users = str(Path(file).absolute()).startswith(_OF_THE_SYSTEM)
        return read_crontab(text, source, zone, has_users=has_users)
    name = service_of(text, Path(file).name)
    service = Path(file).parent / name
    is_there = "/" not in name and len(name) < _LONGEST_NAME and service.is_file()
    command = read_command(service.read_text(errors="replace")) if is_there else ""
    return read_timer_unit(text, source, zone, command)


def _write(folder: Path, schedule: ImportedSchedule) -> Path:
    path, text = folder / f"{schedule.name}.flow", schedule.flow_text()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:  # which follows no link
                file.write(text)
        except FileExistsError:
            if path.is_file() and path.read_bytes() == text.encode():
                return path
            raise Conflict(
                f"{path} exists, with another content", hint="choose another folder by --output"
            ) from None
    except OSError as error:
        raise CannotWrite(
            f"cannot write {path}: {error.strerror}", hint="--output names the folder"
        ) from None
    return path


def _lines(schedule: ImportedSchedule, path: Path) -> Iterator[str]:
    yield printable(f"{path}: task {schedule.task}, from {schedule.origin}")
    yield from (printable(f"  {note}") for note in schedule.notes)
