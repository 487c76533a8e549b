"""All that is wrong with a text, or doubtful, at once."""

from __future__ import annotations

from dataclasses import dataclass

from lfr.flow import Flow, gc_paused
from lfr.language.compile import compile_source
from lfr.language.diagnostics import Diagnostic, FlowError, Severity, Source
from lfr.language.lint import find_doubts


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What there is to say about a text.

    flow      None if there are errors
    diagnostics  errors or, if there are none, warnings; in the order of the text
    """

    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]


def check_flow(text: str, base: str | None = None, *, source: str = "FLOW") -> CheckResult:
    """Compile a text and look for what is hardly meant. `base` and `source` are those of `compile_flow`.

    Errors of the text are among the diagnostics. Raises BadInput for a base that cannot be used.
    """
    given = Source.of(text, source)
    with gc_paused():
        try:
            compiled = compile_source(given, base)
        except FlowError as error:
            return CheckResult(None, error.errors)
        doubts = find_doubts(compiled, given.text)
        return CheckResult(compiled.flow, tuple(given.mistakes(doubts, Severity.WARNING)))
