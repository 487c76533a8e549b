"""Writes what transitions have changed to the log of the role."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lfr.engine.transition import FactKind, Transition
from lfr.host.journal import log_fields
from lfr.store.workflows.load import LoadedWorkflow

LOGGER = logging.getLogger(__name__)


def log_transitions(
    loaded: Mapping[str, LoadedWorkflow], transitions: Mapping[str, Sequence[Transition]]
) -> None:
    """Log failures and retries with their reason, as warnings; with LOG_LEVEL=DEBUG all facts."""
    logs_all = LOGGER.isEnabledFor(logging.DEBUG)
    for id, changes in transitions.items():
        for transition in changes:
            if transition.reason or logs_all:
                _log(id, loaded[id], transition)


def _log(id: str, workflow: LoadedWorkflow, transition: Transition) -> None:
    for fact in transition.facts:
        is_failure = fact.kind in (FactKind.FAILED, FactKind.RETRIED)
        level = logging.WARNING if is_failure else logging.DEBUG
        reason = f": {transition.reason}" if is_failure else ""
        subject = id
        if fact.index is not None:
            step = workflow.flow.steps[fact.index]
            subject = f"{id}: step {fact.index}, {step.name or step.kind.value},"
        LOGGER.log(level, "%s %s%s", subject, fact.kind, reason, extra=log_fields(id, fact.index))
