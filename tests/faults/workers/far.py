"""A foreign worker: a plain program on a socket, as one for littleflow_redis. It names no attempt.

    FAULTS_LOG=FILE FAULTS_SLOT=NAME python3 far.py PORT

It does the tasks `far:...`. Each task, its receipt and its acknowledgement are one transaction. It connects
again after an error.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any

from behaviour import digest, output_of
from log import log_execution

STREAM, GROUP, ME = "workflows:run", "far", f"far-{os.getpid()}"
IDLE_MS = 3000
TIMEOUT_SECONDS = 3.0


class Redis:
    """A connection to Redis."""

    def __init__(self, port: int) -> None:
        connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self._file = connection.makefile("rwb")

    def call(self, *words: object) -> Any:
        """Send one command and return its reply."""
        self.send(words)
        return self._reply()

    def transact(self, *commands: tuple[object, ...]) -> None:
        """Send commands as one transaction."""
        for command in (("MULTI",), *commands, ("EXEC",)):
            self.send(command)
        for _ in range(len(commands) + 2):
            self._reply()

    def send(self, words: tuple[object, ...]) -> None:
        """Send one command."""
        texts = [str(word).encode() for word in words]
        self._file.write(b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts))
        self._file.flush()

    def _reply(self) -> Any:
        line = self._file.readline()
        kind, rest = line[:1], line[1:].rstrip()
        if not kind:
            raise OSError("the connection is closed")
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest.decode()


def append(kind: str, **fields: Any) -> tuple[object, ...]:
    """Return the command that appends an event."""
    event = {"kind": kind, "apiVersion": "v1", **fields}
    words = [word for name, value in event.items() for word in (name, json.dumps(value))]
    return ("XADD", STREAM, "*", *words)


def handle(redis: Redis, id: str, flat: list[str]) -> bool:
    """Do the task of an entry, and acknowledge it, if it is one of ours; return whether it is."""
    try:
        event = {name: json.loads(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
    except ValueError:
        event = {}
    base = event.get("base")
    is_ours = event.get("kind") == "start-task" and isinstance(base, str) and base.startswith("far:")
    if not is_ours or isinstance(event.get("claimed"), str):
        return False
    log_execution(event["workflow"], event["index"], event["attempt"], event["name"], digest(event["input"]))
    output = output_of(base, event["input"], event["parameters"], event["index"])
    answer = {name: event[name] for name in ("workflow", "name", "index")}
    end = append("end-task", **answer, status="SUCCESS", output=output)
    receipt = append("receipt", **{"for": id, "action": "processed"})
    redis.transact(end, receipt, ("XACK", STREAM, GROUP, id))
    return True


def work(redis: Redis) -> None:
    """Read and do tasks until an error."""
    try:
        redis.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    except RuntimeError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
    while True:
        taken_over = redis.call("XAUTOCLAIM", STREAM, GROUP, ME, IDLE_MS, "0-0", "COUNT", 10)[1]
        read = ("XREADGROUP", "GROUP", GROUP, ME, "COUNT", 50, "BLOCK", 1000, "STREAMS", STREAM, ">")
        new = redis.call(*read)
        entries = [(id, flat) for id, flat in [*taken_over, *(new[0][1] if new else [])] if flat]
        if others := [id for id, flat in entries if not handle(redis, id, flat)]:
            redis.call("XACK", STREAM, GROUP, *others)


def main(port: int) -> None:
    """Work until somebody ends this process."""
    while True:
        try:
            work(Redis(port))
        except (OSError, RuntimeError, ValueError, IndexError):
            time.sleep(0.2)


if __name__ == "__main__":
    main(int(sys.argv[1]))
