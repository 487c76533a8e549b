"""Random bytes and flows with random changes, many of them: `build.py test --fuzz` tries all.

The seed of each text is its number, so the number that a failure tells brings it back.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from tests.support.texts import FLOWS, TOKENS, check_text

COUNT = int(os.environ.get("LFR_FUZZ", "10000"))
"""How many texts of each sort."""

MOST_SECONDS = 60
"""A text of some hundred characters that takes so long has no end."""

ALPHABET = "".join(sorted(set("".join([*TOKENS, *FLOWS, " \n\r\t\"'\x00\x7f\u2028\ufeff"])))).encode()


def random_bytes(random: Random) -> bytes:
    """Up to 200 bytes: any, or such as flows consist of."""
    length = random.randrange(200)
    return random.randbytes(length) if random.randrange(2) else bytes(random.choices(ALPHABET, k=length))


def changed_flow(random: Random) -> bytes:
    """A flow of the conformance table, changed in one place or in some."""
    text = random.choice(FLOWS)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 8))):
        at = random.randint(0, len(text))
        until = min(len(text), at + random.choice((0, 0, 1, 1, 2, 5, 20)))
        text = text[:at] + _replacement(random, text[at:until]) + text[until:]
    return text.encode(errors="surrogatepass")


def _replacement(random: Random, part: str) -> str:
    match random.randrange(6):
        case 0:
            return ""
        case 1:
            return part * 2
        case 2:
            return random.choice(FLOWS)
        case 3:
            return f" {random.choice(TOKENS)} "
        case 4:
            return chr(random.choice((random.randrange(128), random.randrange(0xE000))))
    return random.choice(TOKENS)


@contextmanager
def deadline() -> Iterator[None]:
    """Fail what takes too long."""

    def too_long(*_: object) -> None:
        raise AssertionError(f"more than {MOST_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("make", [random_bytes, changed_flow])
def test_any_text_is_a_flow_or_an_error(make: Callable[[Random], bytes]) -> None:
    for number in range(COUNT):
        raw = make(Random(number))
        try:
            with deadline():
                check_text(raw.decode("utf-8-sig", "surrogateescape"))
        except Exception as error:
            error.add_note(f"text {number} of {make.__name__}: {raw!r}")
            raise
