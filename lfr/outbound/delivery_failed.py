"""The failure to deliver a notice."""

from __future__ import annotations


class DeliveryFailed(Exception):
    """A notice could not be delivered; the text says why. `wait_seconds`: how long the recipient wants to be
    left alone; 0: it does not say."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
