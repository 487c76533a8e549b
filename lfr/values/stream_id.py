"""The id of a stream entry as a value that can be compared."""

from __future__ import annotations

from typing import NamedTuple


class StreamId(NamedTuple):
    """The id of a stream entry. Ids compare as their entries stand in the stream.

    ms        when Redis appended the entry, in milliseconds since the epoch
    sequence  how many entries of the same millisecond stand before it
    """

    ms: int
    sequence: int

    @classmethod
    def parse(cls, text: str) -> StreamId:
        """Parse an id as Redis writes it, `MS-SEQUENCE`; without a sequence it is 0. Raises ValueError."""
        ms, _, sequence = text.partition("-")
        return cls(int(ms), int(sequence or 0))

    def __str__(self) -> str:
        return f"{self.ms}-{self.sequence}"

    @property
    def score(self) -> float:
        """A zset score that grows with the id: the milliseconds, and the sequence in parts of 4096.

        A double holds both exactly. From the sequence 4095 on, the scores of a millisecond are equal.
        """
        return self.ms + min(self.sequence, 4095) / 4096
