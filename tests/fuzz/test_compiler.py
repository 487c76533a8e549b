"""Compile random bytes and flows with random changes: other texts each day.

The seed is the date, so that all runs of a day try the same texts; pytest's header shows it. Repeat the texts
of a day by its seed, or try more of them:

LFR_FUZZ_SEED=20261130 python3 build.py test tests/fuzz
python3 build.py test --fuzz
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from tests.conftest import fuzz_seed
from tests.support.texts import FLOWS, TOKENS, check_text

COUNT = int(os.environ.get("LFR_FUZZ", "10000"))
"""Number of texts of each sort."""

DEADLINE_SECONDS = 60
"""Of CPU. A text of some hundred characters that takes as long will never end."""

ALPHABET = "".join(sorted(set("".join([*TOKENS, *FLOWS, " \n\r\t\"'\x00\x7f\u2028\ufeff"])))).encode()


def random_bytes(random: Random) -> bytes:
    """Return up to 200 bytes: any bytes, or bytes that occur in flows."""
    length = random.randrange(200)
    return random.randbytes(length) if random.randrange(2) else bytes(random.choices(ALPHABET, k=length))


def changed_flow(random: Random) -> bytes:
    """Return a flow of the conformance table with one change or some."""
    text = random.choice(FLOWS)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 8))):
        begin = random.randint(0, len(text))
        end = min(len(text), begin + random.choice((0, 0, 1, 1, 2, 5, 20)))
        text = text[:begin] + _replacement(random, text[begin:end]) + text[end:]
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
    """Fail after DEADLINE_SECONDS of this process's CPU, however busy the machine is."""

    def fail(*_: object) -> None:
        raise AssertionError(f"more than {DEADLINE_SECONDS} seconds")

    previous = signal.signal(signal.SIGPROF, fail)
    signal.setitimer(signal.ITIMER_PROF, DEADLINE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


@pytest.mark.parametrize("make_text", [random_bytes, changed_flow])
def test_any_text_is_a_flow_or_an_error(make_text: Callable[[Random], bytes]) -> None:
    seed = fuzz_seed()
    for number in range(COUNT):
        raw = make_text(Random(f"{seed}/{number}"))
        try:
            with deadline():
                check_text(raw.decode("utf-8-sig", "surrogateescape"))
        except Exception as error:
            error.add_note(f"text {number} of {make_text.__name__} with LFR_FUZZ_SEED={seed}: {raw!r}")
            raise


def test_a_seed_repeats_its_texts_and_another_gives_others() -> None:
    def texts(seed: str) -> list[bytes]:
        return [changed_flow(Random(f"{seed}/{number}")) for number in range(20)]

    assert texts("20261130") == texts("20261130")
    assert texts("20261130") != texts("20261201")
