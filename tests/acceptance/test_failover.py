"""Processes of the built file, and failovers by real Sentinels. tests/faults/failover.py has the long run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.failover import COMMAND, KILL, Plan, run


@pytest.mark.parametrize(("kind", "way"), [("redis", KILL), ("valkey", COMMAND)])
def test_a_failover_loses_nothing_acknowledged_and_stops_nothing(kind: str, way: str, tmp_path: Path) -> None:
    plan = Plan(kind, workflows=60, ways=(way,), replicas=1, seconds=8, sentinels=1, is_patient=False)
    report = run(plan, tmp_path)
    assert report.stuck == report.wrong == report.lost_acknowledged == report.lost_events == []
    lost = report.lost_unconfirmed
    assert report.finished == 60 - len(lost)
    assert len(report.acknowledged) + len(report.unconfirmed) == 60
    assert len(report.acknowledged) > 10 and len(report.failovers) == 1
