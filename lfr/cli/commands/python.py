"""`lfr python`: run Python so that programs can import lfr."""

from __future__ import annotations

import os
import sys
from argparse import REMAINDER, ArgumentParser, Namespace
from pathlib import Path

import lfr
from lfr.cli.command_table import Handler
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "arguments",
        metavar="ARGUMENTS",
        nargs=REMAINDER,
        help="as Python takes them: FILE, -m MODULE, -c TEXT",
    )


def _run(arguments: Namespace, terminal: Terminal) -> None:
    packages = str(Path(lfr.__file__).parents[1])
    former = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (packages, former)))}
    terminal.out.flush()
    for number in getattr(sys.modules["__main__"], "HELD", ()):  # the program imports from this build
        os.set_inheritable(number, True)
    os.execve(sys.executable, [sys.executable, *arguments.arguments], environment)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Replaces itself by the Python that runs lfr, and adds lfr and the packages that it brings along to the "
    "modules that can be imported: for programs that use lfr.Client, and for tests of flows. To use the "
    "packages of a virtual environment too, start lfr with its Python. python3 build.py wheel makes a "
    "wheel for pip.",
    (
        ("python report.py --month 7", "a program that imports lfr"),
        ("python -c 'from lfr import Client; print(Client().list())'", ""),
        ("python -m pytest tests/", "with pytest installed"),
    ),
    passes_on=True,
)
