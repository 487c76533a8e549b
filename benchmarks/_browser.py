"""A Chromium, and consoles of built files of lfr, for as long as a benchmark runs."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright

from benchmarks._installation import free_port

VIEWPORT = {"width": 1440, "height": 900}


def parser(purpose: str | None) -> argparse.ArgumentParser:
    """Return a parser of the words of a benchmark, with the option `--old`."""
    options = argparse.ArgumentParser(description=purpose)
    options.add_argument("--old", type=Path, help="an lfr file of another version, measured beside this one")
    return options


def files(old: Path | None) -> dict[str, Path]:
    """Return the built files to measure, by name."""
    this = Path(os.environ["LFR_FILE"])
    return {"old": old, "this": this} if old else {"this": this}


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Start a Chromium without a GPU."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not installed (apt install chromium)")
    browser = playwright.chromium.launch(
        executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
    )
    yield browser
    browser.close()


@contextmanager
def console(file: Path, redis_url: str, roles: Sequence[str] = ()) -> Iterator[str]:
    """Run the console of a file, and roles. Yield the URL of the console."""
    address = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "LFR_REDIS_URL": redis_url, "LOG_LEVEL": "WARNING"}
    environment |= {"LFR_API_TOKEN": "token", "LFR_API_REQUIRE_TOKEN": "remote"}
    with ExitStack() as stack:
        for words in (("console", address), *((role,) for role in roles)):
            command = [sys.executable, str(file), *words]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        _wait_until_up(f"http://{address}/api/health/ready")
        yield f"http://{address}"


def start(url: str, text: str, value: Any = None) -> str:
    """Start a workflow by the API of a console. Return its id."""
    body = json.dumps({"workflow": text, "input": value}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/api/workflows/start", body, headers)
    ) as response:
        return str(json.load(response)["workflow"])


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the console did not start within 30 s")
