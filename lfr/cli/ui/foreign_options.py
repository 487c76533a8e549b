"""Options of littleflow_redis, littleflow and earlier versions that lfr does not have: a sentence says what
to do instead.

Those that change nothing here are left out of the command line, so that scripts and units go on working.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class ForeignOption(NamedTuple):
    """An option of another program, or of an earlier version.

    sentence    what there is in its place, the continuation of `--group ...`
    has_value   whether a word follows it
    is_ignored  whether the command does without it; otherwise it ends with the sentence
    """

    sentence: str
    has_value: bool = True
    is_ignored: bool = True


_GROUP: Final = ForeignOption("is ignored: the consumer groups of lfr's roles have fixed names")
_KEY: Final = ForeignOption("is ignored: the keys of lfr have fixed names")

_OPTIONS: Final[Mapping[str, Mapping[str, ForeignOption]]] = {
    "worker": {
        "--group": _GROUP,
        "--lifecycle-group": _GROUP,
        "--workflows": _KEY,
        "--inprogress": _KEY,
        "--issuer": ForeignOption("is the setting request.issuer: set ISSUER to the file", is_ignored=False),
    },
    "simulate": {"--group": _GROUP},
    "up": {
        "--no-simulate": ForeignOption(
            "is ignored: tasks are simulated only with --simulate", has_value=False
        ),
    },
    "run": {
        "--limit": ForeignOption("is ignored: lfr run --local stops by itself after very many tasks"),
        "--show-cache": ForeignOption(
            "is lfr run --local --json: it prints all inputs", has_value=False, is_ignored=False
        ),
    },
}

FOREIGN_COMMANDS: Final[Mapping[str, str]] = {
    "compile": "lfr check reports the errors of a flow, and lfr graph --format json prints the compiled flow",
    "doc": "lfr graph draws a flow",
}
"""Commands of littleflow, with what does their work here."""


class ForeignWords(NamedTuple):
    """A command line without the foreign options that are ignored; sentences about these; and the sentence
    about the first that cannot be ignored, or an empty text."""

    words: list[str]
    ignored: list[str]
    refusal: str


def split_foreign_options(command: str, words: Sequence[str]) -> ForeignWords:
    """Find the foreign options among the words behind a command."""
    options = _OPTIONS.get(command, {})
    result = ForeignWords([], [], "")
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        if word == "--":
            return result._replace(words=[*result.words, word, *remaining])
        flag, equals, _ = word.partition("=")
        option = options.get(flag)
        if option is None:
            result.words.append(word)
            continue
        if option.has_value and not equals and remaining:
            remaining.pop(0)
        sentence = f"{flag} {option.sentence}"
        if not option.is_ignored:
            return result._replace(refusal=sentence)
        result.ignored.append(sentence)
    return result
