"""Schedules with processes: a thousand of them over simulated days, and the built file, under kill -9."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import takewhile
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
import redis

from lfr.config.settings import Settings
from lfr.host.valkey import ValkeyServer
from lfr.operations.schedules import describe_schedule
from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.schedules.decide import STARTS, Outcome, OutcomeKind
from lfr.schedules.start_ids import start_id
from lfr.store.redis.connection import Store, open_store
from lfr.store.schedules import StoredSchedule, load_outcomes, load_schedule_names, load_schedules
from tests.support.processes import lfr, role
from tests.support.schedule_decider import NOW, decide_until_killed
from tests.support.servers import running
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

HOUR = 3_600_000


def ms(text: str) -> int:
    return round(1000 * datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


PHASES = (
    ("2026-10-24T00:00", "2026-11-03T00:00"),  # ten days: both zones put the clock back
    ("2027-03-13T12:00", "2027-03-15T12:00"),  # New York puts it forward
    ("2027-03-27T12:00", "2027-03-29T12:00"),  # Berlin puts it forward
)
BEGIN, END = ms(PHASES[0][0]), ms(PHASES[-1][1])
ZONES = ("Europe/Berlin", "America/New_York", "UTC")
OVERLAPS = ("skip", "allow", "queue", "terminate")


def texts() -> list[str]:
    """Return a thousand flows with schedules of all kinds; none occurs so often that outcomes are dropped.
    LFR_SCHEDULES_SEED makes others."""
    chance = random.Random(int(os.environ.get("LFR_SCHEDULES_SEED", "7")))
    flows: list[str] = []
    for number in range(1000):
        weekly = f"{chance.randrange(60)} {chance.randrange(24)} * * {chance.randrange(7)}"
        twice_a_month = f"{chance.randrange(60)} {chance.randrange(24)} 1,25 * *"
        timing = chance.choice([weekly, twice_a_month, twice_a_month, "30 1 * * 0", "*/30 2 * * 0"])
        spec = f"cron: '{timing}', timezone: {chance.choice(ZONES)}"
        if number % 10 == 0:
            spec = f"every: {chance.randrange(40, 90)}h"
        spec += f", overlap: {chance.choice(OVERLAPS)}, catch_up: {chance.choice(('13h', '13h', '1h'))}"
        spec += ", jitter: 20m" if number % 7 == 0 else ""
        flows.append(f"@flow s{number} (- schedule: {{{spec}}} -)\nA")
    for name, zone, line in CHANGES:
        spec = f"cron: '{line}', timezone: {zone}, catch_up: 13h, overlap: allow"
        flows.append(f"@flow {name} (- schedule: {{{spec}}} -)\nA")
    return flows


CHANGES = (
    ("berlin", "Europe/Berlin", "30 2 * * *"),
    ("new_york_back", "America/New_York", "30 1 * * *"),
    ("new_york", "America/New_York", "30 2 * * *"),
    ("berlin_hourly", "Europe/Berlin", "30 */12,2 * * *"),
)


class Deciders:
    """Three processes that decide schedules; one of them is killed about each second, and replaced. They are
    forks of this process, which start at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._processes = [self._start() for _ in range(3)]
        self._kill_at = time.monotonic() + 1
        self.kills = 0

    def _start(self) -> ForkProcess:
        process = get_context("fork").Process(target=decide_until_killed, args=(self._url,), daemon=True)
        process.start()
        return process

    def kill_one_now_and_then(self) -> None:
        if time.monotonic() >= self._kill_at:
            self._kill_at = time.monotonic() + 1
            index = self.kills % 3
            self._processes[index].kill()
            self._processes[index].join()
            self._processes[index] = self._start()
            self.kills += 1

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def test_a_thousand_schedules_over_simulated_days(tmp_path: Path) -> None:
    with running("valkey", tmp_path / "data") as server, ExitStack() as stack:
        store = open_store(Settings(redis_url=server.address.url, redis_timeout_seconds=5))
        client = stack.enter_context(redis.Redis.from_url(server.address.url, decode_responses=True))
        apply_flows(store, [FlowSource(text) for text in texts()])
        with client.pipeline(transaction=False) as pipeline:
            for name in client.smembers("flows:schedules"):
                pipeline.hset(f"flows:schedule:{name}", "cursor", BEGIN)
                pipeline.zadd("flows:schedules:due", {name: BEGIN})
            pipeline.execute()
        deciders = Deciders(server.address.url)
        stack.callback(deciders.stop)
        for number, (begin, end) in enumerate(PHASES):
            for now in range(ms(begin), ms(end) + 1, 12 * HOUR):
                client.set(NOW, now)
                if number == 0 and now == ms(begin) + 96 * HOUR:
                    kill_and_restart(server)

                def is_decided(now: int = now) -> bool:
                    deciders.kill_one_now_and_then()
                    return client.zcount("flows:schedules:due", "-inf", now) == 0

                eventually(is_decided)
        while deciders.kills < 5:
            deciders.kill_one_now_and_then()
        with store.connect() as connection:
            schedules = load_schedules(connection, load_schedule_names(connection))
            outcomes = {name: load_outcomes(connection, name, 200) for name in schedules}
        check(schedules, outcomes, client)
        check_changes_of_the_clock(store)
        store.pool.disconnect()


def kill_and_restart(server: ValkeyServer) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not server.is_running())
    server.start()


def check(
    schedules: dict[str, StoredSchedule], outcomes: dict[str, list[Outcome]], client: redis.Redis
) -> None:
    """Each time of each schedule stands in its outcomes once, and each start is one workflow."""
    assert len(schedules) == 1004
    started: list[str] = []
    kinds: set[str] = set()
    for name, schedule in schedules.items():
        parsed, listed = schedule.parse(), []
        due = takewhile(lambda time: time <= END, parsed.timing.after(BEGIN))
        times = [time for time in due if parsed.due_ms(name, time) <= END]
        for outcome in outcomes[name]:
            kinds.add(outcome.kind.value)
            if outcome.kind in STARTS:
                assert outcome.workflow == start_id(name, outcome.first_ms)
                started.append(outcome.workflow)
            else:
                assert outcome.reason
            if outcome.reason != "it was queued":
                first, last = times.index(outcome.first_ms), times.index(outcome.last_ms)
                assert last - first + 1 == outcome.count
                listed += times[first : last + 1]
        assert listed == times, name
    assert kinds >= {"started", "caught-up", "queued", "skipped", "missed"}
    assert len(started) == len(set(started)) > 500
    assert set(started) == set(client.zrange("workflows:all", 0, -1))
    begun = [
        fields["workflow"] for _, fields in client.xrange("workflows:run") if "start-w" in fields["kind"]
    ]
    assert len(begun) == len(set(begun)) == len(started)


def check_changes_of_the_clock(store: Store) -> None:
    """What stands at 2:30 starts once on each day, as Debian's cron has it."""

    def starts(name: str, day: str) -> list[str]:
        listed = describe_schedule(store, name)["outcomes"]
        return sorted(each["time"][11:16] for each in listed if each["workflow"] and day in each["time"])

    assert starts("berlin", "2026-10-25") == ["00:30"]  # 2:30 comes twice: the first
    assert starts("berlin", "2026-10-26") == ["01:30"]
    assert starts("new_york_back", "2026-11-01") == ["05:30"]
    assert starts("new_york_back", "2026-11-02") == ["06:30"]
    assert starts("new_york", "2027-03-14") == ["07:00"]  # there is no 2:30: at 3:00
    assert starts("new_york", "2027-03-15") == ["06:30"]
    assert starts("berlin", "2027-03-28") == ["01:00"]
    assert starts("berlin_hourly", "2026-10-25") == ["00:30", "01:30", "11:30", "23:30"]  # both: it has a *
    assert starts("berlin_hourly", "2027-03-28")[:2] == ["10:30", "22:30"]  # neither


def test_lifecycles_of_the_built_file_under_kill(redis_url: str, tmp_path: Path) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    (tmp_path / "f.flow").write_text("@flow f (- schedule: {every: 1s, overlap: allow, catch_up: 1h} -)\nA")
    assert lfr("apply", str(tmp_path / "f.flow"), url=redis_url).returncode == 0
    begin = int(client.hget("flows:schedule:f", "made"))

    def count() -> int:
        return int(client.llen("flows:outcomes:f"))

    with ExitStack() as stack:
        roles = [stack.enter_context(role("lifecycle", url=redis_url)) for _ in range(3)]
        for number in range(3):
            before = count()
            eventually(lambda before=before: count() >= before + 2)
            roles[number].kill()
            roles.append(stack.enter_context(role("lifecycle", url=redis_url)))
        before = count()
        eventually(lambda: count() >= before + 2)
    store = open_store(Settings(redis_url=redis_url))
    with store.connect() as connection:
        outcomes = load_outcomes(connection, "f", 200)
    store.pool.disconnect()
    assert {outcome.kind for outcome in outcomes} <= {OutcomeKind.STARTED, OutcomeKind.CAUGHT_UP}
    times = [outcome.first_ms for outcome in outcomes]
    assert times == list(range(begin // 1000 * 1000 + 1000, times[-1] + 1, 1000))
    assert {outcome.workflow for outcome in outcomes} == set(client.zrange("workflows:all", 0, -1))
    shown = lfr("schedule", "show", "f", url=redis_url)
    assert shown.returncode == 0 and start_id("f", times[-1]) in shown.stdout


def test_show_writes_inputs_and_times_as_json(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "f.flow").write_text("@flow f\na")
    assert lfr("apply", str(tmp_path / "f.flow"), url=redis_url).returncode == 0
    words = ("--flow", "f", "--at", "2190-01-01T00:00Z", "--input", '{"é": [true, null]}')
    assert lfr("schedule", "add", "s", *words, url=redis_url).returncode == 0
    shown = lfr("schedule", "show", "s", url=redis_url).stdout
    assert '  input: {"é": [true, null]}\n' in shown and '  at: ["2190-01-01T00:00Z"]\n' in shown


def test_the_examples_of_the_page(redis_url: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text()
    (flow,) = re.findall(r"```flow\n(.*?)```", page, re.DOTALL)
    (tmp_path / "nightly.flow").write_text(flow)
    (tmp_path / "backup.timer").write_text("[Timer]\nOnCalendar=daily\n")
    outputs: list[str] = []
    for line in re.findall(r"^\$ lfr (.*)$", page, re.MULTILINE):
        words = [
            str(tmp_path / word) if word in ("nightly.flow", "backup.timer", "flows") else word
            for word in shlex.split(line.replace("/etc/crontab ", ""))
        ]
        done = lfr(*words, url=redis_url)
        assert done.returncode == 0, (line, done.stderr)
        outputs.append(done.stdout)
    assert "version 1, new" in outputs[0] and "its schedule is new" in outputs[0]
    assert outputs[2].count("T02:30:00-0") >= 19
    assert (tmp_path / "flows" / "backup.flow").exists()
