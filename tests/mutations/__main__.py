"""`python3 build.py mutations [WORDS]`: make each mistake of the table in a copy; do tests find it?

WORDS: only the mutations whose names contain one of them. A mistake is found if a test fails with it that
passes without it. Exit code 1 if one was not found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.mutations.table import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 900.0

_FAILURE: Final = re.compile(r"(?:FAILED|ERROR) (tests/.*?)(?: - .*)?")

FOUND, MISSED, UNSURE = "found", "MISSED", "UNSURE"


def main(words: list[str]) -> int:
    """Try the mutations, and print what has become of each, then a summary. Return the exit code."""
    chosen = [each for each in MUTATIONS if not words or any(word in each.name for word in words)]
    names: dict[str, list[str]] = defaultdict(list)
    first = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lfr-mutations-") as folder:
        copy = Path(folder, "copy")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", ".build", "dist"))
        for mutation in chosen:
            begin = time.monotonic()
            result, detail = try_mutation(copy, mutation)
            names[result].append(mutation.name)
            seconds = time.monotonic() - begin
            print(f"{result:7} {seconds:4.0f} s  {mutation.name}: {detail[:160]}", flush=True)
    found = len(names[FOUND])
    print(f"{found} of {len(chosen)} found in {(time.monotonic() - first) / 60:.0f} minutes")
    for result, meaning in ((UNSURE, "fails without the mistake as well"), (MISSED, "not found")):
        for name in names[result]:
            print(f"{meaning}: {name}")
    return 1 if found < len(chosen) or not chosen else 0


def try_mutation(copy: Path, mutation: Mutation) -> tuple[str, str]:
    """Make a mistake in a copy and run its tests until the first fails; then run that one without the
    mistake. Return what has become of it, and the name of the test or what pytest says instead."""
    file = copy / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.name}: the old text is not in {mutation.file} once"
    file.write_text(text.replace(mutation.old, mutation.new))
    try:
        output = _run_tests(copy, mutation.tests)
    finally:
        file.write_text(text)
    if output is None:
        return MISSED, f"no end after {LONGEST_SECONDS:g} s"
    failures = [match[1] for line in output if (match := _FAILURE.fullmatch(line))]
    if not failures:
        return MISSED, (output or [""])[-1]
    again = _run_tests(copy, failures[:1])
    is_sure = again is not None and any(" passed" in line for line in again[-1:])
    return (FOUND if is_sure else UNSURE), failures[0]


def _run_tests(copy: Path, tests: tuple[str, ...] | list[str]) -> list[str] | None:
    """Run tests until the first fails. Return the lines of pytest; None if there is no end."""
    options = ("-q", "-x", "--no-header", "--tb=line", "-p", "no:cacheprovider")
    try:
        process = subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"--basetemp={copy.parent / 'tests'}", *tests],
            cwd=copy,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return (process.stdout + process.stderr).splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
