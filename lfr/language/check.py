"""All that is wrong with a text, or doubtful, at once."""

from __future__ import annotations

from dataclasses import dataclass

from lfr.flow import Flow
from lfr.gc_pause import no_collections
from lfr.language.compile import compile_source
from lfr.language.errors import FlowError, FlowMistake, Severity, Source
from lfr.language.lint import find_doubts


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to say about a text.

    flow      None if there are errors
    findings  errors or, if there are none, warnings; in the order of the text
    """

    flow: Flow | None
    findings: tuple[FlowMistake, ...]


def check_flow(text: str, base: str | None = None, *, source: str = "FLOW") -> Checked:
    """Compile a text and look for what is hardly meant. `base` and `source` are those of `compile_flow`.

    Errors of the text are among the findings. Raises BadInput for a base that cannot be used.
    """
    given = Source.of(text, source)
    with no_collections():
        try:
            compiled = compile_source(given, base)
        except FlowError as error:
            return Checked(None, error.errors)
        doubts = find_doubts(compiled, given.text)
        return Checked(compiled.flow, tuple(given.mistakes(doubts, Severity.WARNING)))
