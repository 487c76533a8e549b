"""Which steps run, in little memory."""

from __future__ import annotations

import sys

from lfr.operations.running_steps import MAX_ATTEMPTS, RunningSteps


def test_it_knows_all_that_run_and_the_attempts_of_the_latest() -> None:
    running = RunningSteps()
    for index in range(MAX_ATTEMPTS + 500):
        running.add(index, index % 7)
    assert list(running.indices()) == list(range(MAX_ATTEMPTS + 500))
    assert running.latest(2) == {1499: 1499 % 7, 1498: 1498 % 7}
    for index in range(500, MAX_ATTEMPTS + 500):
        running.remove(index)
    assert not running.latest(10) and running.without_attempt(3) == [499, 498, 497]
    assert 499 in running and 500 not in running and 10**9 not in running
    running.add(499, 2)
    assert running.latest(10) == {499: 2} and running.without_attempt(1) == [498]
    running.remove(10**9)
    running.clear()
    assert not list(running.indices()) and not running.latest(1) and not running.without_attempt(1)


def test_a_million_steps_take_few_bytes() -> None:
    running = RunningSteps()
    for index in range(1_000_000):
        running.add(index, 1)
    assert sys.getsizeof(running._runs) < 2_000_000 and len(running._attempts) == MAX_ATTEMPTS
