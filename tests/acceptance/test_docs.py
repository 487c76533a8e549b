"""What README and docs/ tell readers to type, typed: with the built file, in a home of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lfr import Client
from lfr.host.valkey_address import free_port
from tests.support.pages import ROOT, block, blocks
from tests.support.processes import built_file, environment, lfr, role
from tests.support.waiting import STALL_SECONDS, eventually


class Shell:
    """A shell of a reader who has this folder and nothing else set up."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "checkout"
        self.folder.mkdir()
        (self.folder / "examples").symlink_to(ROOT / "examples")
        (self.folder / "dist").mkdir()
        shutil.copy(built_file(), self.folder / "dist" / "lfr")
        names = {"HOME": str(home), "XDG_STATE_HOME": "", "XDG_DATA_HOME": "", "LFR_CONFIG": "/dev/null"}
        self._environment = environment(None, names)
        self._set_up: list[str] = []

    def set_up(self, text: str) -> None:
        """Run lines now, and again at the begin of each later script: each terminal needs them."""
        self.run(text)
        self._set_up.append(text)

    def run(self, text: str) -> str:
        """Run a script, which fails if one of its lines does, and return what it prints on stdout."""
        done = subprocess.run(self._words(text), capture_output=True, text=True, check=False, **self._options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def running(self, text: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command for as long as the block runs."""
        words = self._words(f"exec {text}")
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **self._options) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)

    def _words(self, text: str) -> list[str]:
        return ["bash", "--norc", "-euc", "\n".join([*self._set_up, text])]

    @property
    def _options(self) -> dict[str, object]:
        return {"cwd": self.folder, "env": self._environment, "stdin": subprocess.DEVNULL}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    if sys.version_info[:2] != (3, 11) and not Path("/usr/bin/python3").exists():
        pytest.skip("the file names /usr/bin/python3, which this machine does not have")
    return Shell(tmp_path)


def test_the_quick_start_of_readme(shell: Shell) -> None:
    """Every line as it is printed: the file onto the PATH, `lfr up`, the second terminal, a worker, a
    program."""
    shell.set_up(block("README.md", "cp dist/lfr"))
    (up_line,) = block("README.md", "lfr up --simulate").splitlines()
    with shell.running(up_line) as up:
        assert up.stdout is not None
        url = next(line for line in up.stdout if "LFR_REDIS_URL=" in line).strip().partition("=")[2]
        second_terminal = block("README.md", "lfr inspect hello")
        first, *others = second_terminal.splitlines()
        assert json.loads(shell.run(first)) == {"name": "you"}
        assert [line.split()[1] for line in others] == ["list", "inspect"]
        for line in others:
            assert "workflow:hello" in shell.run(line)
        (shell.folder / "text.py").write_text(block("README.md", 'task("text:upper")'))
        program = block("README.md", 'Client("redis://').replace("redis://127.0.0.1:6379", url)
        (shell.folder / "program.py").write_text(program)
        with shell.running("lfr tasks text.py"):
            eventually(lambda: "tasks" in shell.run("lfr status --json || true"))
            assert "{'text':" in shell.run("lfr python program.py")


@pytest.mark.parametrize(
    "name", [line.split()[1] for line in block("README.md", "lfr lifecycle").splitlines()[1:]]
)
def test_every_role_of_readme_starts(redis_url: str, name: str) -> None:
    address = [f"127.0.0.1:{free_port()}"] if name in ("api", "console") else []
    uses = {
        "notify": {"LFR_NOTIFY_ALIVE_URL": "https://watch.example/"},
        "traces": {"LFR_TRACES_ENDPOINT": "http://127.0.0.1:9/"},
    }
    with role(name, *address, url=redis_url, more=uses.get(name, {})):
        client = Client(redis_url)
        eventually(lambda: address or [each for each in client.status()["roles"] if each["role"] == name])


def test_every_curl_of_the_api(redis_url: str, tmp_path: Path) -> None:
    """In the order of the page: start a workflow, list it, complete its first task."""
    port = free_port()
    texts = [text for text in blocks("docs/api.md") if text.startswith("curl")]
    listing, start, *others, end, terminate = texts
    assert len(others) == 3  # store flows, make a schedule, act on many
    token = tmp_path / ".local" / "state" / "lfr" / "api-token"
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": "", "LFR_API_HOSTS": "server", "LFR_API_TOKEN": ""}
    with role("lifecycle", url=redis_url), role("api", f"0.0.0.0:{port}", url=redis_url, more=home):
        eventually(lambda: token.exists() and lfr("status", url=redis_url).returncode in (0, 69))

        def curl(text: str) -> tuple[str, str]:
            """Run a command of the page. Return status and body."""
            line = re.sub(r"http://(127\.0\.0\.1|server):5000", f"http://127.0.0.1:{port}", text)
            line = line.replace("curl", "curl --silent --retry 9 --retry-connrefused -w '\\n%{http_code}'", 1)
            line = line.replace("lfr token", f"{sys.executable} {built_file()} token")
            done = subprocess.run(
                ["bash", "-euc", line],
                env={**os.environ, **home},
                capture_output=True,
                text=True,
                check=False,
                timeout=STALL_SECONDS,
            )
            body, _, status = done.stdout.rpartition("\n")
            return status, body

        assert curl(start) == ("201", '{"workflow":"workflow:build-7"}')
        assert curl(start) == ("200", '{"workflow":"workflow:build-7"}')
        status, body = curl(listing)
        assert (status, json.loads(body)[0]["id"]) == ("200", "workflow:build-7")
        status, body = curl(end)
        assert (status, list(json.loads(body))) == ("202", ["id"])
        client = Client(redis_url)
        eventually(lambda: client.inspect_step("build-7", 1)["output"] == {"pages": 12})
        assert curl(end)[0] == "409"
        assert [curl(text)[0] for text in others] == ["200", "404", "200"]  # no flow is stored: dry_run
        assert curl(terminate) == ("200", '{"state":"TERMINATED"}')
        assert client.inspect("build-7")["by_hand"][-1]["actor_reason"] == "wrong branch"


def test_the_programs_of_the_client_page(redis_url: str, tmp_path: Path) -> None:
    one, follow, restart = blocks("docs/client.md")
    one = one.replace("redis://127.0.0.1:6379", redis_url)
    (tmp_path / "text.py").write_text(block("README.md", 'task("text:upper")'))
    program = tmp_path / "program.py"
    program.write_text(f"{one}\n{follow}\n{restart}")
    with (
        role("worker", url=redis_url),
        role("simulate", "--wait-period", "10ms", url=redis_url),
        role("tasks", str(tmp_path / "text.py"), url=redis_url),
    ):
        eventually(lambda: len(Client(redis_url).status()["roles"]) == 3)
        done = lfr("python", str(program), url=redis_url)
    assert done.returncode == 0, done.stderr
    first, *changes = done.stdout.splitlines()
    assert first == "{'text': 'A'}"
    assert any(line.endswith("text:upper started") for line in changes)
