"""Many workflows at once, by processes of the built file that are killed in the middle."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import redis

from lfr import Client
from tests.support.processes import built_file, environment, lfr
from tests.support.waiting import eventually

NUMBER = 300


def test_a_killed_command_goes_on_and_touches_nothing_else(redis_url: str, tmp_path: Path) -> None:
    client = Client(redis_url)
    for number in range(NUMBER):
        client.run("@flow order; a -> b", {}, f"order-{number}", labels={"tenant": number % 3})
        if number % 5 == 0:
            client.run("@flow invoice; a", {}, f"invoice-{number}", labels={"tenant": 1})
    command = ["terminate", "--where", "flow=order state=RUNNING", "--yes", "--json"]
    notes = tmp_path / "notes"
    with redis.Redis.from_url(redis_url, decode_responses=True) as server:
        with notes.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, str(built_file()), *command],
                env=environment(redis_url),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
            eventually(lambda: server.zcard("workflows:state:TERMINATED") > 30)
            process.kill()
            process.wait()
        (as_of,) = re.findall(r"go on with --as-of (\S+)", notes.read_text())
        before = server.zcard("workflows:state:TERMINATED")
        for number in range(20):
            client.run("@flow order; a", {}, f"late-{number}")
        again = json.loads(lfr(*command, "--as-of", as_of, url=redis_url).stdout)
        assert before > 30 and again["changed"] == NUMBER - before
        assert again["problems"] == {}
        terminated = set(server.zrange("workflows:state:TERMINATED", 0, -1))
        assert terminated == {f"workflow:order-{number}" for number in range(NUMBER)}
        for id in terminated:
            assert sum("terminated" in element for element in server.lrange(f"{id}:facts", 0, -1)) == 1
        assert server.zcard("workflows:state:RUNNING") == NUMBER // 5 + 20
