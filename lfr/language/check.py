"""Checks a flow text: all of its errors, or all warnings about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lfr.flow import Flow, gc_paused
from lfr.language.compile import LARGEST_FLOW, FlowLimits, compile_source
from lfr.language.diagnostics import Diagnostic, FlowError, Severity, SourceText
from lfr.language.lint_steps import lint_steps, lint_unserved
from lfr.language.lint_syntax import lint_syntax
from lfr.language.reachability import lint_reachability


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of `check_flow`.

    flow         None if the text does not compile
    diagnostics  the errors; of a text that compiles also the warnings; in the order of the text
    """

    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        """Return whether a diagnostic is an error: also a text that compiles may have some."""
        return any(each.severity is Severity.ERROR for each in self.diagnostics)


FindUnserved: TypeAlias = Callable[[Iterable[str]], Mapping[str, tuple[str, str]]]
"""Returns which of these tasks nobody does: by name, a message and a hint."""


def check_flow(
    text: str,
    base: str | None = None,
    *,
    source: str = "FLOW",
    find_unserved: FindUnserved | None = None,
    limits: FlowLimits = LARGEST_FLOW,
) -> CheckResult:
    """Compile a text and collect its errors or warnings. The arguments are those of `compile_flow`; with
    `find_unserved` also warnings of tasks that nobody does. A flow beyond `limits` is an error.

    Errors in the text are part of the result. Raises BadInput for an unusable base.
    """
    source_text = SourceText.of(text, source)
    with gc_paused():
        try:
            compiled = compile_source(source_text, base, limits)
        except FlowError as error:
            return CheckResult(None, error.errors)
        problems = [
            *lint_syntax(compiled.tree, compiled.symbols, source_text.text),
            *lint_steps(compiled),
            *lint_reachability(compiled.flow, compiled.offsets, compiled.restarts),
        ]
        if find_unserved is not None:
            problems += lint_unserved(compiled, find_unserved)
        return CheckResult(compiled.flow, tuple(source_text.diagnostics(problems, Severity.WARNING)))
