"""Whether to go on with something that saves time if a guess is right, and costs a little if it is wrong."""

from __future__ import annotations

from typing import Final

_MAX_PAUSE: Final = 63


class Speculation:
    """Counts how often a guess was right. After a wrong one, it advises against 1, 3, 7 and up to 63 guesses,
    more with each that is wrong again."""

    def __init__(self) -> None:
        self._pause = 0
        self._skip_count = 0

    def is_advised(self) -> bool:
        """Return whether to guess this time; called once for each occasion."""
        if self._skip_count:
            self._skip_count -= 1
            return False
        return True

    def note(self, *, was_right: bool) -> None:
        """Note how a guess has turned out."""
        self._pause = 0 if was_right else min(2 * self._pause + 1, _MAX_PAUSE)
        self._skip_count = self._pause
