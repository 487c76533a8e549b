"""Runs the commands of `notify.commands` for notices: without a shell, with the notice as JSON on stdin."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Final

from lfr.errors import BadSettings
from lfr.notices.notice import Notice, message_body
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.tasks.http import excerpt
from lfr.values.json import encode_json

TIMEOUT_SECONDS: Final = 30.0
"""How long a command may take; then it is killed, with the processes that it has started."""

_MAX_OUTPUT: Final = 4096

_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""The environment of a command. That of the role holds secrets."""


class Commands:
    """The commands of the settings, by name. Thread-safe. Raises BadSettings when it is made."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._words = {name: _parse_line(name, line) for name, line in lines.items()}

    def has(self, name: str) -> bool:
        """Return whether the settings have a command with this name."""
        return name in self._words

    def run(self, name: str, notice: Notice, at: str) -> None:
        """Run a command with a notice. `at` is its time in ISO 8601. Raises DeliveryFailed unless it ends
        with exit code 0 in time."""
        environment = {**_ENVIRONMENT, "LFR_NOTICE_ID": notice.id, "LFR_RULE": notice.rule}
        with TemporaryFile() as input, TemporaryFile() as output:
            input.write(encode_json(message_body(notice, at)).encode() + b"\n")
            input.seek(0)
            try:
                process = subprocess.Popen(
                    self._words[name],
                    env=environment,
                    cwd="/",
                    stdin=input,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise DeliveryFailed(f"it cannot be started: {error.strerror}") from None
            code = _wait(process)
            if code == 0:
                return
            end = f"it has ended with exit code {code}" if code > 0 else f"signal {-code} has ended it"
            output.seek(0)
            beginning = excerpt(output.read(_MAX_OUTPUT))
            raise DeliveryFailed(f"{end}{f': {beginning}' if beginning else ''}")


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code. Raises DeliveryFailed after the time that a command may take."""
    try:
        return process.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise DeliveryFailed(f"it has not ended within {TIMEOUT_SECONDS:g} s, and was killed") from None


def _parse_line(name: str, line: str) -> list[str]:
    place = f"notify.commands.{name}"
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise BadSettings(f"its quotes are wrong: {error}", place=place) from None
    if not words or not words[0].startswith("/"):
        raise BadSettings("it must begin with the absolute path of a program", place=place)
    if not os.path.isfile(words[0]) or not os.access(words[0], os.X_OK):
        raise BadSettings(f"{words[0]} is no program that this user may run", place=place)
    return words
