"""The console behind the reverse proxies of docs/operations.md, with the very files that stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from lfr.host.valkey_address import free_port
from tests.console.browser_checks import Guard
from tests.console.installation import Installation, installed
from tests.support.waiting import STALL_SECONDS, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
TOKEN = "may-operate"


def example(title: str) -> str:
    """Return the example of the page that begins with this comment."""
    match = re.search(rf"^    # {title}\n((?:    .*\n|\n)+)", PAGE, re.MULTILINE)
    assert match is not None
    return "\n".join(line.removeprefix("    ") for line in match[1].splitlines())


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Replace parts of an example, each of which must be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, console: str, at_root: bool) -> list[str]:
    """Write nginx's files. Return its command."""
    server = replaced(
        example("nginx"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:5001", console),
    )
    server = re.sub(r"ssl_certificate.*", "", server)
    if at_root:
        server = replaced(re.sub(r"location = .*", "", server), ("location /lfr/", "location /"))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    text = (
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{server}\n}}\n"
    )
    (folder / "nginx.conf").write_text(text)
    return [required("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, console: str, at_root: bool) -> list[str]:
    """Write Caddy's file. Return its command."""
    site = replaced(
        example("Caddyfile"), ("lfr.example.com", f"http://127.0.0.1:{port}"), ("127.0.0.1:5001", console)
    )
    if at_root:
        site = replaced(re.sub(r"redir .*", "", site), ("handle_path /lfr/*", "handle"))
    (folder / "Caddyfile").write_text("{\n    admin off\n}\n" + site + "\n")
    return [required("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def required(name: str) -> str:
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", f"there is no {name}"
        pytest.skip(f"{name} is not installed (see build.py)")
    return program


def responds(url: str) -> bool:
    try:
        with urlopen(url, timeout=STALL_SECONDS):
            return True
    except URLError:
        return False


@contextmanager
def proxy(command: list[str], folder: Path, url: str) -> Iterator[None]:
    """Run a proxy until the block ends."""
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **homes}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        eventually(lambda: responds(url) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(STALL_SECONDS)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Installation]:
    """An installation whose console needs no token from this machine, unless a proxy comes between."""
    more = {"LFR_API_REQUIRE_TOKEN": "remote", "LFR_API_TOKEN": TOKEN}
    with installed(tmp_path_factory.mktemp("closed"), token=TOKEN, more=more) as installation:
        yield installation


@pytest.fixture
def guard(guard: Guard) -> Guard:
    guard.expects("401")
    return guard


@pytest.mark.parametrize("at_root", [True, False], ids=["root", "path"])
@pytest.mark.parametrize("write", [nginx, caddy])
def test_the_console_works_behind_a_proxy(
    closed: Installation,
    page: Page,
    tmp_path: Path,
    write: object,
    at_root: bool,
) -> None:
    assert callable(write)
    port = free_port()
    root = f"http://127.0.0.1:{port}" + ("/" if at_root else "/lfr/")
    id = f"{write.__name__}-{'root' if at_root else 'path'}"
    closed.lfr.run(f"@flow {id}\na -> b", {}, id)
    command = write(tmp_path, port, closed.url.removeprefix("http://"), at_root)
    with proxy(command, tmp_path, root):
        page.goto(root.rstrip("/") or root)
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("link", name=id).first.click()
        expect(page).to_have_url(f"{root}workflows/workflow:{id}")
        expect(page.locator("svg").first).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Terminate").click()
        page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
        closed.until(id, "TERMINATED")
        expect(page.get_by_text("Terminated").first).to_be_visible()  # by the live stream
        page.get_by_role("link", name="Start", exact=True).click()
        expect(page).to_have_url(f"{root}start")
        page.get_by_role("link", name="System").click()
        expect(page.get_by_role("heading", name="System")).to_be_visible()
