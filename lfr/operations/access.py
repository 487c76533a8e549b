"""What a token permits, and what a route of the API requires."""

from __future__ import annotations

from enum import StrEnum


class Access(StrEnum):
    """A permission; each includes those before it. With NONE, a route needs no token."""

    NONE = "none"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def includes(self, other: Access) -> bool:
        """Return whether who has this permission also has the other one."""
        ranks = list(Access)
        return ranks.index(self) >= ranks.index(other)
