"""Checks a flow text: all of its errors, or all warnings about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lfr.flow import Flow, gc_paused
from lfr.language.compile import Compiled, compile_source
from lfr.language.diagnostics import Diagnostic, FlowError, Problem, Severity, SourceText
from lfr.language.lint_steps import lint_steps
from lfr.language.lint_syntax import lint_syntax
from lfr.language.reachability import lint_reachability


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of `check_flow`.

    flow         None if the text has errors
    diagnostics  the errors or, if there are none, the warnings; in the order of the text
    """

    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]


def check_flow(text: str, base: str | None = None, *, source: str = "FLOW") -> CheckResult:
    """Compile a text and collect its errors or warnings. `base` and `source` are those of `compile_flow`.

    Errors in the text are part of the result. Raises BadInput for an unusable base.
    """
    source_text = SourceText.of(text, source)
    with gc_paused():
        try:
            compiled = compile_source(source_text, base)
        except FlowError as error:
            return CheckResult(None, error.errors)
        warnings = source_text.diagnostics(_lint(compiled, source_text.text), Severity.WARNING)
        return CheckResult(compiled.flow, tuple(warnings))


def _lint(compiled: Compiled, text: str) -> Iterator[Problem]:
    yield from lint_syntax(compiled.tree, compiled.symbols, text)
    yield from lint_steps(compiled)
    yield from lint_reachability(compiled.flow, compiled.offsets, compiled.restarts)
