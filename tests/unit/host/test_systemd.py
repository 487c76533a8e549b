"""What `systemctl show` prints, read."""

from __future__ import annotations

from lfr.host.systemd import UnitState, parse_unit_states

SHOWN = """\
Id=lfr@wait.service
ActiveState=activating
SubState=auto-restart
UnitFileState=enabled
NRestarts=4
StatusText=

Id=lfr@lifecycle.2.service
ActiveState=active
SubState=running
UnitFileState=disabled
NRestarts=0
StatusText=0 to read, 3 pending; a=b

Id=lfr-valkey.service
ActiveState=inactive
SubState=dead
UnitFileState=
NRestarts=0
"""


def test_the_units_are_those_that_are_installed_or_run() -> None:
    assert list(parse_unit_states(SHOWN)) == [
        UnitState("lfr@wait.service", "activating", "auto-restart", True, 4, ""),
        UnitState("lfr@lifecycle.2.service", "active", "running", False, 0, "0 to read, 3 pending; a=b"),
    ]
    assert [unit.is_broken for unit in parse_unit_states(SHOWN)] == [True, False]


def test_nothing_is_no_unit() -> None:
    assert list(parse_unit_states("")) == []
