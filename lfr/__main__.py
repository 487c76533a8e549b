"""The entry of the one file, and of `python -m lfr`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command that argv names; the process's exit code."""
    from lfr.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
