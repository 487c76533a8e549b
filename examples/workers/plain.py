"""A worker in Python without any package: it speaks the protocol of Redis itself.

    python3 plain.py PORT

It does the task `text:count`, which counts the words of a text. It shows everything that a worker must do:
read start-task events in a group of its own, reclaim the entries of dead workers, and end each task with an
end-task event, a receipt and XACK. Its task-log event is what `lfr logs` shows; a worker need not send one.
"""

import json
import os
import socket
import sys

STREAM, GROUP, ME = "workflows:run", "plain", f"plain-{os.getpid()}"


class Redis:
    """A connection to Redis. `call` sends one command and returns the reply (RESP2)."""

    def __init__(self, port):
        self.file = socket.create_connection(("127.0.0.1", port)).makefile("rwb")

    def call(self, *words):
        parts = [f"*{len(words)}\r\n".encode()]
        for word in map(str, words):
            parts.append(b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()))
        self.file.write(b"".join(parts))
        self.file.flush()
        return self.reply()

    def reply(self):
        line = self.file.readline().rstrip()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest.decode()


def do(event):
    """Do the task. Return its output."""
    return {"words": len(event["input"]["text"].split())}


def append(redis, kind, **fields):
    """Append an event. Each of its fields is JSON by itself."""
    fields = {"kind": kind, "apiVersion": "v1", **fields}
    redis.call(
        "XADD", STREAM, "*", *(word for name, value in fields.items() for word in (name, json.dumps(value)))
    )


def read(flat):
    """Return the event of an entry. A malformed one counts as empty: lfr moves it to the dead letters."""
    try:
        return {name: json.loads(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
    except ValueError:
        return {}


def handle(redis, id, flat, deliveries=1):
    event = read(flat)
    if event.get("kind") == "start-task" and event.get("base") == "text:count":
        answer = {name: event.get(name) for name in ("workflow", "name", "index", "attempt", "run")}
        try:
            if deliveries > 5:
                raise RuntimeError("the worker died 5 times with this task")
            answer.update(status="SUCCESS", output=do(event))
        except Exception as error:
            answer.update(status="FAILURE", reason=f"{type(error).__name__}: {error}")
        attempt = {name: event.get(name) for name in ("workflow", "index", "attempt", "run")}
        line = f"{GROUP} ends it with {answer['status']}"
        redis.call("MULTI")  # all or nothing: if this worker dies here, another one reclaims the task
        append(redis, "task-log", **attempt, lines=[line], host=socket.gethostname(), process=os.getpid())
        append(redis, "end-task", **answer)
        append(redis, "receipt", **{"for": id, "action": "processed"})
        redis.call("XACK", STREAM, GROUP, id)
        redis.call("EXEC")
    else:
        redis.call("XACK", STREAM, GROUP, id)


def main(port):
    redis = Redis(port)
    try:
        redis.call("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    except RuntimeError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
    while True:
        # One at a time: Redis counts how often each was delivered, and one of them may kill this worker.
        for id, flat in redis.call("XAUTOCLAIM", STREAM, GROUP, ME, 30_000, "0-0", "COUNT", 1)[1]:
            handle(redis, id, flat, redis.call("XPENDING", STREAM, GROUP, id, id, 1)[0][3])
        new = redis.call("XREADGROUP", "GROUP", GROUP, ME, "COUNT", 10, "BLOCK", 1000, "STREAMS", STREAM, ">")
        for id, flat in new[0][1] if new else []:
            handle(redis, id, flat)


if __name__ == "__main__":
    main(int(sys.argv[1]))
