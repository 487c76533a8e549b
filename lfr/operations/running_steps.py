"""Which steps of a workflow run, in little memory: a million steps of a flow may run at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

MAX_ATTEMPTS: Final = 1000
"""Of how many steps the attempts are known: those that started last."""


class RunningSteps:
    """The steps that run: a byte for each step of the flow, and the attempts of those that started last."""

    def __init__(self) -> None:
        self._runs = bytearray()
        self._attempts: dict[int, int] = {}

    def __contains__(self, index: int) -> bool:
        return index < len(self._runs) and bool(self._runs[index])

    def add(self, index: int, attempt: int) -> None:
        """Note that an attempt of a step has started."""
        if index >= len(self._runs):
            self._runs.extend(bytes(index + 1 - len(self._runs)))
        self._runs[index] = 1
        self._attempts.pop(index, None)
        self._attempts[index] = attempt
        if len(self._attempts) > MAX_ATTEMPTS:
            del self._attempts[next(iter(self._attempts))]

    def remove(self, index: int) -> None:
        """Note that a step has ended, if it has run."""
        if index < len(self._runs):
            self._runs[index] = 0
        self._attempts.pop(index, None)

    def clear(self) -> None:
        """Note that no step runs any more."""
        self._runs.clear()
        self._attempts.clear()

    def latest(self, count: int) -> dict[int, int]:
        """Return the attempts of the `count` steps that started last, by index, the latest first."""
        return dict(islice(reversed(self._attempts.items()), count))

    def indices(self) -> Iterator[int]:
        """Yield the steps that run, by ascending index."""
        index = self._runs.find(1)
        while index >= 0:
            yield index
            index = self._runs.find(1, index + 1)

    def without_attempt(self, count: int) -> list[int]:
        """Return up to `count` of the steps that run whose attempts are not known, by descending index."""
        missing: list[int] = []
        index = self._runs.rfind(1)
        while index >= 0 and len(missing) < count:
            if index not in self._attempts:
                missing.append(index)
            index = self._runs.rfind(1, 0, index)
        return missing
