"""Reads crontabs. (crontab(5) of Debian)"""

from __future__ import annotations

import re
from typing import Final

from lfr.schedules.imported import Import, ImportedSchedule, name_of
from lfr.schedules.occurrences import CRON_WORDS, BadTiming, check_cron
from lfr.values.json import Json

_VARIABLE: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)
_FIELDS: Final = re.compile(r"\s*(@\w+|(?:\S+\s+){4}\S+)\s+(.*)", re.DOTALL)
_USER: Final = re.compile(r"(\S+)\s+(.*)", re.DOTALL)
_ZONES: Final = ("CRON_TZ", "TZ")


def read_crontab(text: str, source: str, zone: str, *, has_users: bool) -> Import:
    """Return the schedules of a crontab, one for each line. `zone` is the time zone of its host; with
    `has_users`, each line names a user before the command, as in /etc/crontab."""
    schedules: list[ImportedSchedule] = []
    refusals: list[str] = []
    variables: dict[str, str] = {}
    names: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):  # cron knows no other end of a line
        location = f"{source}:{number}"
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if variable := _VARIABLE.fullmatch(line):
            name, value = variable[1], variable[2].strip().strip("\"'")
            if name in _ZONES:
                zone = value
            else:
                variables[name] = value
            continue
        fields = _FIELDS.fullmatch(line)
        user = _USER.fullmatch(fields[2]) if fields and has_users else None
        if fields is None or (has_users and user is None):
            refusals.append(f"{location}: this is no line of a crontab: {line.strip()[:60]}")
            continue
        try:
            timing = check_cron(fields[1])
        except BadTiming as error:
            reason = "it has no time: let systemd start it" if fields[1] == "@reboot" else str(error)
            refusals.append(f"{location}: {fields[1]} cannot be carried over: {reason}")
            continue
        command, notes = _command(user[2] if user else fields[2])
        if user:
            notes.append(f"It ran as the user {user[1]}: start its worker as that user.")
        notes += [f"{name}={value} was set: give it to its worker." for name, value in variables.items()]
        schedule: dict[str, Json] = {"cron": fields[1] if fields[1] in CRON_WORDS else timing}
        name = name_of(command.partition(" ")[0].rpartition("/")[2], names)
        schedules.append(
            ImportedSchedule(
                name, {**schedule, "timezone": zone, "overlap": "allow"}, command, location, tuple(notes)
            )
        )
    return Import(tuple(schedules), tuple(refusals))


def _command(text: str) -> tuple[str, list[str]]:
    """Return a command as cron gives it to the shell, and notes on what cron gives it besides."""
    command, *lines = re.split(r"(?<!\\)%", text)
    notes = ["Cron wrote lines to its standard input, after %: they are not carried over."] if lines else []
    return command.replace("\\%", "%").strip(), notes
