"""`python3 build.py faults`: the whole run, by hand. Exit code 1 if anything was wrong."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.run import Scale, run

FAULTS_PER_MINUTE = 45.0


def main(words: list[str]) -> int:
    """Run with each seed in turn. Return the exit code."""
    parser = argparse.ArgumentParser(prog="build.py faults", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="default: the time; may be repeated")
    parser.add_argument("--workflows", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=25.0, help="they start spread over this time")
    parser.add_argument("--faults", type=float, default=FAULTS_PER_MINUTE, help="faults per minute")
    parser.add_argument("--actions", type=float, default=60.0, help="interventions per minute")
    parser.add_argument("--window", type=int, default=200, help="how many workflows run at a time, at most")
    parser.add_argument("--size", choices=("small", "large"), default="large")
    parser.add_argument("--server", choices=("redis", "valkey"), default="redis")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run also if all is well")
    options = parser.parse_args(words)
    scale = Scale(
        options.workflows, 60 * options.minutes, options.window, options.faults, options.actions, options.size
    )
    is_clean = True
    sums: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for seed in options.seed or [int(time.time())]:
        folder = Path(tempfile.mkdtemp(prefix="lfr-faults-"))
        findings, journal, seconds = run(seed, scale, options.server, folder)
        report = {
            "seconds": round(seconds),
            "workflows": options.workflows,
            "faults": sum(journal.faults.values()),
            **findings.figures,
            "lost": len(findings.lost),
            "doubled": len(findings.doubled),
            "invented": len(findings.invented),
            "left over": len(findings.left_over),
        }
        sums.update(report)
        kinds.update(journal.faults)
        details = {"kinds": dict(sorted(journal.faults.items())), "interventions": dict(journal.actions)}
        print(json.dumps({"seed": seed, **details, **report}, indent=1), flush=True)
        for name in ("lost", "doubled", "invented", "left_over"):
            for line in getattr(findings, name)[:20]:
                print(f"{name}: {line}", flush=True)
        if findings.is_clean and not options.keep:
            shutil.rmtree(folder)
        else:
            command = f"--seed {seed} --workflows {options.workflows} --minutes {options.minutes:g}"
            print(f"logs and data: {folder}; again: python3 build.py faults {command}", flush=True)
        is_clean &= findings.is_clean
    if len(options.seed or ()) > 1:
        print(json.dumps({"seeds": options.seed, "kinds": dict(sorted(kinds.items())), **sums}, indent=1))
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
