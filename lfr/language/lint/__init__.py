"""What is right as it stands, and yet is hardly what was meant. Pure: a compiled text -> warnings."""

from __future__ import annotations

from collections.abc import Iterator

from lfr.language.compile import Compiled
from lfr.language.diagnostics import Problem
from lfr.language.lint.declarations import doubtful_declarations
from lfr.language.lint.guards import doubtful_guards
from lfr.language.lint.layout import doubtful_layout
from lfr.language.lint.literals import doubtful_literals
from lfr.language.lint.parameters import doubtful_parameters, limits_in_vain, outcomes_in_vain
from lfr.language.lint.runs import doubtful_runs
from lfr.language.lint.words import doubtful_words


def find_doubts(compiled: Compiled, text: str) -> Iterator[Problem]:
    """All warnings about a flow and the text that it comes from, in no order."""
    yield from doubtful_declarations(compiled.tree, compiled.names)
    yield from doubtful_words(compiled.tree, compiled.names)
    yield from doubtful_layout(compiled.tree, text)
    yield from doubtful_literals(compiled.tree, text)
    yield from doubtful_guards(compiled)
    yield from doubtful_parameters(compiled)
    yield from limits_in_vain(compiled.tree)
    yield from outcomes_in_vain(compiled)
    yield from doubtful_runs(compiled)
