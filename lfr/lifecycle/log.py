"""What the log tells of workflows: failures, with their reason; with LOG_LEVEL=DEBUG all that happens."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lfr.engine import FactKind, Transition
from lfr.host.journal import log_fields
from lfr.store.workflows.load import LoadedWorkflow

LOGGER = logging.getLogger(__name__)

_TROUBLE = {FactKind.FAILED, FactKind.RETRIED}


def log_transitions(loaded: Mapping[str, LoadedWorkflow], moved: Mapping[str, Sequence[Transition]]) -> None:
    """Log what has been committed of these workflows. Costs next to nothing where nothing is told."""
    tells_all = LOGGER.isEnabledFor(logging.DEBUG)
    for id, transitions in moved.items():
        for transition in transitions:
            if transition.reason or tells_all:
                _log(id, loaded[id], transition)


def _log(id: str, workflow: LoadedWorkflow, transition: Transition) -> None:
    for fact in transition.facts:
        level = logging.WARNING if fact.kind in _TROUBLE else logging.DEBUG
        why = f": {transition.reason}" if fact.kind in _TROUBLE else ""
        extra = log_fields(id, fact.index)
        if fact.index is None:
            LOGGER.log(level, "%s %s%s", id, fact.kind, why, extra=extra)
        else:
            step = workflow.flow.steps[fact.index]
            what = (id, fact.index, step.name or step.kind.value, fact.kind, why)
            LOGGER.log(level, "%s: step %d, %s, %s%s", *what, extra=extra)
