"""Points in time as people write them: `2026-01-31T18:00:00Z`, `2026-01-31T18:00+01:00`, `2026-01-31`."""

from __future__ import annotations

from datetime import UTC, datetime

from lfr.values.json import Json


def read_time(value: Json) -> int | None:
    """A time in milliseconds since the epoch; None if the value is none.

    In ISO 8601, as `datetime.fromisoformat` takes it; a date alone is its first moment. A time that names
    no zone is in UTC: the role may stand in another zone than the author.
    """
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
        return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
