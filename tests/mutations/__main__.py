"""`python3 build.py mutations [WORDS]`: make each mistake of the table in a copy; do tests find it?

WORDS: only the mutations whose names contain one of them. Exit code 1 if one was not found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.table import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 300.0


def main(words: list[str]) -> int:
    """Try the mutations. Return the exit code."""
    chosen = [each for each in MUTATIONS if not words or any(word in each.name for word in words)]
    missed = []
    with tempfile.TemporaryDirectory(prefix="lfr-mutations-") as folder:
        copy = Path(folder, "copy")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", ".build", "dist"))
        for mutation in chosen:
            begin = time.monotonic()
            is_found, last_line = try_mutation(copy, mutation)
            seconds = time.monotonic() - begin
            print(
                f"{'found' if is_found else 'MISSED':7} {seconds:4.0f} s  {mutation.name}: {last_line}",
                flush=True,
            )
            missed += [] if is_found else [mutation.name]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} found")
    return 1 if missed or not chosen else 0


def try_mutation(copy: Path, mutation: Mutation) -> tuple[bool, str]:
    """Make a mistake in a copy and run its tests until the first fails. Return whether one did, and the last
    line of pytest. Tests that hang have found it, too."""
    file = copy / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.name}: the old text is not in {mutation.file} once"
    file.write_text(text.replace(mutation.old, mutation.new))
    options = ("-q", "-x", "--no-header", "--tb=line", "-p", "no:cacheprovider")
    try:
        process = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *mutation.tests],
            cwd=copy,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True, f"no end after {LONGEST_SECONDS:g} s"
    finally:
        file.write_text(text)
    lines = [line for line in process.stdout.splitlines() if line.startswith("FAILED")]
    last = (lines or process.stdout.splitlines() or process.stderr.splitlines() or [""])[-1]
    return process.returncode == 1, last[:160]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
