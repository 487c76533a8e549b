"""One run: workflows under faults, then the check."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.bulk import Bulk
from tests.faults.checker import check
from tests.faults.faults import Faults
from tests.faults.findings import Findings
from tests.faults.installation import running_installation
from tests.faults.journal import EVERYBODY, Journal
from tests.faults.load import Load
from tests.faults.operators import Operators
from tests.faults.pauses import Pauses

_THREADS: Final = 3
"""How many faults may happen at the same time."""

_STALL_SECONDS: Final = 0.3
"""A thread that sleeps so much longer than it should shows that the machine is too busy for leases."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much happens.

    workflows  how many are started, spread over `seconds`; at most `window` run at a time
    faults     how many faults per minute of `seconds`; if these are over, no more
    actions    how many interventions per minute, besides those of faults
    size       `small` or `large`: how many processes
    """

    workflows: int
    seconds: float
    window: int
    faults: float
    actions: float
    size: str


def run(seed: int, scale: Scale, server: str, folder: Path) -> tuple[Findings, Journal, float]:
    """Run workflows under faults. Return what was wrong, what was done, and how many seconds it took."""
    begin = time.monotonic()
    journal = Journal()
    with running_installation(folder, server, scale.size) as installation:
        load = Load(seed, scale.workflows, installation, journal)
        load.store_flows()
        operators = Operators(load, journal, Random(f"{seed}/operators"))
        pauses = Pauses(load, journal, Random(f"{seed}/pauses"))
        bulk = Bulk(load, journal, Random(f"{seed}/bulk"))
        faults = Faults(load, operators, pauses, bulk, journal, Random(f"{seed}/faults"))
        with _watching_the_machine(journal), _happening(seed, scale, faults, operators) as stop:
            thread = threading.Thread(target=_stop_with_load, args=(load, scale, stop), daemon=True)
            thread.start()
            load.run(scale.seconds, scale.window)
            stop.set()
        faults.heal()
        pauses.resume_all()
        load.schedules.stop()
        load.run(0, scale.window)
        load.wait_for_schedules()
        installation.end_retention()
        findings = check(load, journal, pauses, bulk)
    (folder / "journal.txt").write_text("\n".join(journal.lines) + "\n")
    return findings, journal, time.monotonic() - begin


def _stop_with_load(load: Load, scale: Scale, stop: threading.Event) -> None:
    """End the faults when the last workflow has started: the others can then come to their end."""
    while not stop.is_set() and len(load.plans) < scale.workflows:
        stop.wait(0.2)
    stop.wait(1)
    stop.set()


@contextmanager
def _happening(seed: int, scale: Scale, faults: Faults, operators: Operators) -> Iterator[threading.Event]:
    """Let faults and interventions happen at random until the event is set; then undo what remains."""
    stop = threading.Event()
    errors: list[BaseException] = []
    random = Random(f"{seed}/order")

    def happen() -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            kinds: list[str] = []
            waiting = threading.Semaphore(_THREADS)
            for _ in range(round(scale.faults * scale.seconds / 60)):
                if stop.wait(random.expovariate(scale.faults / 60)):
                    break
                if not kinds:  # each kind in turn, in random order: none is rare
                    kinds = list(faults.kinds)
                    random.shuffle(kinds)
                waiting.acquire()
                pool.submit(guarded, faults.kinds[kinds.pop()], waiting)

    def guarded(action: Callable[[], None], waiting: threading.Semaphore | None = None) -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)
            stop.set()
        finally:
            if waiting is not None:
                waiting.release()

    def operate() -> None:
        while not stop.wait(random.expovariate(scale.actions / 60)):
            guarded(operators.intervene)

    threads = [threading.Thread(target=each, daemon=True) for each in (happen, operate)]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        faults.heal()
    if errors:
        raise errors[0]


@contextmanager
def _watching_the_machine(journal: Journal) -> Iterator[None]:
    """Note when the machine holds processes up: a lease may end although nothing has happened."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            begin = time.time()
            stop.wait(0.05)
            if time.time() - begin > _STALL_SECONDS:
                journal.note_stall(EVERYBODY, begin, time.time())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
