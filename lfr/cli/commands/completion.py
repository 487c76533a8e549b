"""`lfr completion`: print the completion of command lines for bash, zsh or fish."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.ui.terminal import Terminal


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish")


def _run(arguments: Namespace, terminal: Terminal) -> None:
    from lfr.cli.ui.completion import make_completion  # imports every command

    terminal.out.write(make_completion(arguments.shell))


HANDLER = Handler(
    _add_arguments,
    _run,
    "The script completes commands, options and their values, and files. Make it again after an upgrade.",
    (
        ("completion bash", "in ~/.bashrc: source <(lfr completion bash)"),
        ("completion zsh", "into a file named _lfr in a folder of $fpath"),
        ("completion fish", "into ~/.config/fish/completions/lfr.fish"),
    ),
)
