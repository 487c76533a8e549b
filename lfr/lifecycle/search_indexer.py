"""Adds workflows of earlier builds to the indexes by flow and by label, in slices."""

from __future__ import annotations

import logging
import time
from typing import Final

from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.workflows.search_indexes import (
    forget_empty_flows,
    index_earlier_workflows,
    is_complete,
)

LOGGER = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 60.0
"""How often to look whether an earlier build has started workflows since, which no index has."""

_PAGE: Final = 200
"""How many workflows one slice adds."""


class SearchIndexer:
    """Looks through all workflows if the indexes lack some; while it does, searches read records instead."""

    def __init__(self) -> None:
        self._after: tuple[int, str] | None = None
        self._is_searching = False
        self._check_at = 0.0

    def run(self, connection: Connection) -> bool:
        """Check the indexes if that is due, or add a slice. Return whether another slice remains."""
        if not self._is_searching:
            if time.monotonic() < self._check_at:
                return False
            self._check_at = time.monotonic() + _CHECK_SECONDS
            if connection.call("EXISTS", keys.IS_SEARCHABLE) and is_complete(connection):
                forget_empty_flows(connection)
                return False
            connection.call("DEL", keys.IS_SEARCHABLE)
            self._is_searching = True
        self._after = index_earlier_workflows(connection, self._after, count=_PAGE)
        if self._after is None:
            self._is_searching = False
            connection.call("SET", keys.IS_SEARCHABLE, 1)
            LOGGER.info("all workflows can be found by flow and label")
        return self._is_searching
