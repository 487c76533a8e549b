"""The entry point of the built file and of `python -m lfr`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command of argv and return its exit code."""
    from lfr.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
