"""Makes the completion of command lines for bash, zsh and fish from the table of commands and their
parsers."""

from __future__ import annotations

import shlex
from argparse import SUPPRESS, Action
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lfr.cli.command_table import COMMANDS, Command
from lfr.cli.ui.parser import load_handler, make_parser

_FILES: Final = frozenset({"FILE", "FILE.py", "DIR", "DIR|URL", "JSON|@FILE"})
"""The metavars of arguments that are, or may be, the name of a file or folder."""

_BASH_FILES: Final = r"""IFS=$'\n'; COMPREPLY+=($(compgen -f -- "$current"))"""
"""Adds the files that match; their names may have blanks."""


@dataclass(frozen=True, slots=True)
class _Option:
    """An option of a command: its flags, its help, whether it takes a value, which one of, and whether that
    is a file."""

    flags: Sequence[str]
    help: str
    has_value: bool
    choices: Sequence[str]
    is_file: bool


@dataclass(frozen=True, slots=True)
class _Words:
    """What may follow a command: its options, the choices of its arguments, and whether these are files."""

    command: Command
    options: Sequence[_Option]
    choices: Sequence[str]
    has_files: bool


def make_completion(shell: str) -> str:
    """Return the script that completes command lines of lfr in this shell: bash, zsh or fish."""
    commands = [_words(command) for command in COMMANDS.values()]
    lines = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)
    return "".join(f"{line}\n" for line in lines)


def _words(command: Command) -> _Words:
    parser = make_parser(command, load_handler(command))
    options, choices, has_files = [], [], False
    for action in parser._actions:
        if action.help == SUPPRESS:
            continue
        if action.option_strings:
            options.append(_option(action))
        else:
            choices += [str(choice) for choice in action.choices or ()]
            has_files = has_files or str(action.metavar) in _FILES | {"ARGUMENTS"}
    return _Words(command, options, choices, has_files)


def _option(action: Action) -> _Option:
    return _Option(
        action.option_strings,
        " ".join((action.help or "").replace("%%", "%").split()),
        action.nargs != 0,
        [str(choice) for choice in action.choices or ()],
        str(action.metavar) in _FILES,
    )


def _bash(commands: Sequence[_Words]) -> Iterator[str]:
    yield "# lfr in bash: source <(lfr completion bash)"
    yield "_lfr() {"
    yield "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words= files="
    yield r"    local IFS=$' \t\n'"
    yield "    COMPREPLY=()"
    yield '    if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f'        COMPREPLY=($(compgen -W {shlex.quote(" ".join(COMMANDS))} -- "$current"))'
    yield "        return"
    yield "    fi"
    yield "    case ${COMP_WORDS[1]}:$previous in"
    for each in commands:
        for option in each.options:
            if option.has_value:
                pattern = "|".join(f"{each.command.name}:{flag}" for flag in option.flags)
                reply = "return"
                if option.choices:
                    words = shlex.quote(" ".join(option.choices))
                    reply = f'COMPREPLY=($(compgen -W {words} -- "$current")); return'
                elif option.is_file:
                    reply = f"{_BASH_FILES}; return"
                yield f"        {pattern}) {reply};;"
    yield "    esac"
    yield "    case ${COMP_WORDS[1]} in"
    for each in commands:
        words = " ".join([*(flag for option in each.options for flag in option.flags), *each.choices])
        yield f"        {each.command.name}) words={shlex.quote(words)} files={int(each.has_files)};;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield '    if [ "$files" = 1 ] && [ "${current#-}" = "$current" ]; then'
    yield f"        {_BASH_FILES}"
    yield "    fi"
    yield "}"
    yield "complete -o filenames -F _lfr lfr"


def _zsh(commands: Sequence[_Words]) -> Iterator[str]:
    yield "#compdef lfr"
    yield "# lfr in zsh: lfr completion zsh > a file named _lfr in a folder of $fpath"
    yield "_lfr() {"
    yield "    local -a commands"
    yield "    commands=("
    for command in COMMANDS.values():
        yield f"        {shlex.quote(f'{command.name}:{command.help}')}"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe command commands"
    yield "        return"
    yield "    fi"
    yield "    local command=${words[2]}"
    yield "    shift words; (( CURRENT-- ))"
    yield "    case $command in"
    for each in commands:
        yield f"        {each.command.name})"
        yield "            _arguments \\"
        for option in each.options:
            for flag in option.flags:
                text = _zsh_text(option.help)
                value = f":value:{_zsh_values(option.choices, option.is_file)}" if option.has_value else ""
                yield f"                {shlex.quote(f'{flag}[{text}]{value}')} \\"
        rest = _zsh_values(each.choices, each.has_files)
        yield f"                {shlex.quote(f'*:argument:{rest}')};;"
    yield "    esac"
    yield "}"
    yield 'if [ "$funcstack[1]" = _lfr ]; then _lfr "$@"; else compdef _lfr lfr; fi'


def _zsh_text(text: str) -> str:
    return "".join("\\" + char if char in "[]:\\" else char for char in text)


def _zsh_values(choices: Sequence[str], is_file: bool) -> str:
    if choices:
        return f"({' '.join(choices)})"
    return "_files" if is_file else " "


def _fish(commands: Sequence[_Words]) -> Iterator[str]:
    yield "# lfr in fish: lfr completion fish > ~/.config/fish/completions/lfr.fish"
    yield "complete -c lfr -f"
    for command in COMMANDS.values():
        words = f"-a {command.name} -d {_fish_quote(command.help)}"
        yield f"complete -c lfr -n __fish_use_subcommand {words}"
    for each in commands:
        head = f"complete -c lfr -n '__fish_seen_subcommand_from {each.command.name}'"
        if each.has_files:
            yield f"{head} -F"
        if each.choices:
            yield f"{head} -a {_fish_quote(' '.join(each.choices))}"
        for option in each.options:
            flags = " ".join(map(_fish_flag, option.flags))
            value = ""
            if option.has_value:
                value = f" -x -a {_fish_quote(' '.join(option.choices))}" if option.choices else " -x"
                value = " -r -F" if option.is_file else value
            yield f"{head} {flags}{value} -d {_fish_quote(option.help)}"


def _fish_flag(flag: str) -> str:
    return f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"


def _fish_quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
