"""`lfr token`: print the token of the API, or a link that opens the console once."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import ExitCode
from lfr.cli.ui.options import add_connection_options, add_json_option, load_command_settings
from lfr.cli.ui.terminal import Terminal
from lfr.errors import Conflict

_CONSOLE = "http://127.0.0.1:8000/"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--link",
        metavar="URL",
        nargs="?",
        const=_CONSOLE,
        help=f"print a link that logs a browser in once, at the console with this URL (default: {_CONSOLE})",
    )
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    from lfr.web.login import make_link
    from lfr.web.token_file import find_token_file, read_token

    settings = load_command_settings(arguments).settings
    token = read_token(settings)
    if not arguments.link:
        _print(terminal, "token", token, as_json=arguments.json)
        return
    if settings.api_token or settings.api_read_token:
        raise Conflict("the settings have a token, so there are no links", hint="type the token: lfr token")
    link = make_link(arguments.link, find_token_file(settings))
    _print(terminal, "link", link, as_json=arguments.json)


def _print(terminal: Terminal, name: str, text: str, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({name: text})
    else:
        terminal.print(text)


HANDLER = Handler(
    _add_arguments,
    _run,
    "Prints the token that programs send as Authorization: Bearer TOKEN: that of the settings, else the "
    "one that the first start of api, console or up has made. --link prints an address for a browser, which "
    "works once, within an hour.",
    (
        ("token", ""),
        ("token --link", "open the console in another browser"),
    ),
    (ExitCode.NOT_FOUND, ExitCode.CONFLICT, ExitCode.CANNOT_WRITE),
)
