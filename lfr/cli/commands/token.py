"""`lfr token`: print the token of the API, or a link that opens the console once; manage named tokens."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final

from lfr.cli.command_table import Handler
from lfr.cli.exit_codes import CHANGE_ERRORS, ExitCode
from lfr.cli.ui.format_change import print_change
from lfr.cli.ui.format_values import format_date_time
from lfr.cli.ui.options import (
    add_connection_options,
    add_json_option,
    add_reason_option,
    load_command_settings,
    open_store,
    open_store_to_change,
)
from lfr.cli.ui.parser import UsageError
from lfr.cli.ui.table import Column, Row, format_table
from lfr.cli.ui.terminal import Terminal
from lfr.errors import Conflict

_CONSOLE = "http://127.0.0.1:8000/"

_ACTIONS: Final = ("add", "list", "remove")

_COLUMNS: Final = (
    Column("role"),
    Column("created"),
    Column("expires"),
    Column("made by", drop=1),
    Column("name"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    help = "named tokens: add one, list them, remove one"
    parser.add_argument("what", metavar="add|list|remove", nargs="?", choices=_ACTIONS, help=help)
    parser.add_argument("name", metavar="NAME", nargs="?", help="the name of the token to add or remove")
    help = "with add: read; operate, to start and intervene as well; admin, to do everything"
    parser.add_argument("--role", metavar="ROLE", help=help)
    help = "with add: how long the token counts, as 90d (default: until it is removed)"
    parser.add_argument("--expires", metavar="TIME", help=help)
    parser.add_argument(
        "--link",
        metavar="URL",
        nargs="?",
        const=_CONSOLE,
        help=f"print a link that logs a browser in once, at the console with this URL (default: {_CONSOLE})",
    )
    add_reason_option(parser)
    add_json_option(parser)
    add_connection_options(parser)


def _run(arguments: Namespace, terminal: Terminal) -> None:
    _check_arguments(arguments)
    if arguments.what is None:
        _print_own(arguments, terminal)
    elif arguments.what == "list":
        _list(arguments, terminal)
    else:
        _change(arguments, terminal)


def _check_arguments(arguments: Namespace) -> None:
    """Raise UsageError for options that do not belong together."""
    what = arguments.what
    if (what in ("add", "remove")) != (arguments.name is not None):
        raise UsageError("lfr token add NAME and lfr token remove NAME need a name, and nothing else has one")
    if (what == "add") != (arguments.role is not None):
        raise UsageError("lfr token add needs --role read, operate or admin, and nothing else has it")
    if arguments.expires is not None and what != "add":
        raise UsageError("--expires goes with lfr token add")
    if arguments.link and what is not None:
        raise UsageError(f"--link does not go with lfr token {what}")


def _change(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store_to_change(arguments)
    from lfr.operations.tokens import add_token, remove_token

    name: str = arguments.name
    if arguments.what == "remove":
        remove_token(store, name)
        print_change(terminal, f"{name} is removed", {"name": name}, as_json=arguments.json)
        return
    added = add_token(store, name, arguments.role, arguments.expires)
    fields = {"token": added.token, **added.description}
    print_change(terminal, added.token, fields, as_json=arguments.json)
    if not arguments.json:
        terminal.print_err(f"this is the token {name}; nobody can read it again")


def _list(arguments: Namespace, terminal: Terminal) -> None:
    store = open_store(arguments)
    from lfr.operations.tokens import list_tokens

    tokens = list_tokens(store)
    if arguments.json:
        terminal.print_json(tokens)
    elif tokens:
        terminal.print_lines(format_table(terminal, _COLUMNS, [_row(token) for token in tokens]))
    else:
        terminal.print_err("there are no named tokens")


def _row(token: dict[str, Any]) -> Row:
    expires = "never" if token["expires"] is None else format_date_time(token["expires"])
    if token["expired"]:
        expires += " (expired)"
    created = format_date_time(token["created"])
    return [token["role"], created, expires, token["made_by"] or "", token["name"]]


def _print_own(arguments: Namespace, terminal: Terminal) -> None:
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
    "works once, within an hour. add makes a token with a name, under which histories know its holder, and "
    "with a role; it is printed once. All servers of the installation know it within some seconds.",
    (
        ("token", ""),
        ("token --link", "open the console in another browser"),
        ("token add ci --role operate --expires 90d", ""),
        ("token remove ci", ""),
    ),
    (
        ExitCode.BAD_INPUT,
        ExitCode.NOT_FOUND,
        ExitCode.CONFLICT,
        ExitCode.CANNOT_WRITE,
        *CHANGE_ERRORS,
    ),
)
