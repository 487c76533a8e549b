"""Crontabs and timers of systemd become flow texts; what cannot be carried over is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfr.language import compile_flow
from lfr.schedules.crontab import read_crontab
from lfr.schedules.imported import Import, ImportedSchedule, name_of
from lfr.schedules.spec import declared_schedule
from lfr.schedules.timer_unit import read_command, read_timer_unit, service_of

CRONTAB = r"""# nightly work
MAILTO=root
*/15 * * * *   /usr/local/bin/poll --all
@daily         backup "$(date +\%F)" -)
CRON_TZ=America/New_York
30 2 * * 1-5   /opt/report%Dear all,%...
@reboot        /usr/bin/warm-up
61 * * * *     never
nonsense
"""


def compiled(imported: ImportedSchedule) -> dict[str, object]:
    """Compile a flow text that was made; return its schedule. Its task must have the command."""
    flow = compile_flow(imported.flow_text())
    (step,) = (step for step in flow.steps if step.name)
    assert flow.name == imported.name and step.name == imported.task == f"cron:{imported.name}"
    assert step.parameters == {"command": imported.command}
    schedule = declared_schedule(flow.parameters)
    assert schedule is not None
    return schedule


def test_a_crontab() -> None:
    imported = read_crontab(CRONTAB, "tab", "Europe/Berlin", has_users=False)
    assert [each.name for each in imported.schedules] == ["poll", "backup", "report"]
    poll, backup, report = imported.schedules
    assert compiled(poll) == {"cron": "*/15 * * * *", "timezone": "Europe/Berlin", "overlap": "allow"}
    assert compiled(backup)["cron"] == "@daily" and backup.command == 'backup "$(date +%F)" -)'
    assert compiled(report) == {"cron": "30 2 * * 1-5", "timezone": "America/New_York", "overlap": "allow"}
    assert report.command == "/opt/report" and "standard input" in report.notes[0]
    assert poll.notes == ("MAILTO=root was set: give it to its worker.",)
    assert imported.refusals == (
        "tab:7: @reboot cannot be carried over: it has no time: let systemd start it",
        "tab:8: 61 * * * * cannot be carried over: the minute is from 0 to 59",
        "tab:9: this is no line of a crontab: nonsense",
    )


def test_a_crontab_of_the_system_names_users() -> None:
    (one,) = read_crontab("0 3 * * * www  clean /tmp\n", "crontab", "UTC", has_users=True).schedules
    assert one.command == "clean /tmp"
    assert one.notes == ("It ran as the user www: start its worker as that user.",)


def timer(text: str, command: str = "x") -> Import:
    return read_timer_unit(f"[Unit]\nDescription=x\n[Timer]\n{text}\n", "/etc/a-b.timer", "UTC", command)


@pytest.mark.parametrize(
    ("calendar", "cron"),
    [
        ("daily", "0 0 * * *"),
        ("Mon..Fri 03:30", "30 3 * * mon-fri"),
        ("Mon..Sun 03:30", "30 3 * * mon-7"),
        ("*-*-* 06,18:00:00", "0 6,18 * * *"),
        ("*-*-01 04:05", "5 4 1 * *"),
        ("*-01,07-01 00:00:00", "0 0 1 1,7 *"),
        ("*:0/15", "0/15 * * * *"),
        ("Saturday *-*-* 02:00", "0 2 * * sat"),
        ("Sun", "0 0 * * sun"),
    ],
)
def test_times_of_the_calendar(calendar: str, cron: str) -> None:
    (one,) = timer(f"OnCalendar={calendar}").schedules
    assert compiled(one) == {"cron": cron, "timezone": "UTC"}
    assert one.name == "a_b"


def test_a_timer_with_all_that_it_may_have() -> None:
    text = "OnCalendar=hourly\nOnCalendar=Mon 02:00 Europe/Berlin\nPersistent=true\nRandomizedDelaySec=5min"
    imported = timer(f"{text}\nOnUnitActiveSec=2h\nOnBootSec=5min")
    assert [compiled(each) for each in imported.schedules] == [
        {"cron": "0 * * * *", "timezone": "UTC", "catch_up": "30d", "jitter": 300},
        {"cron": "0 2 * * mon", "timezone": "Europe/Berlin", "catch_up": "30d", "jitter": 300},
        {"every": 7200, "catch_up": "30d", "jitter": 300},
    ]
    assert [each.name for each in imported.schedules] == ["a_b", "a_b_2", "a_b_3"]
    assert imported.refusals == (
        "/etc/a-b.timer: OnBootSec= cannot be carried over: it is no time of the clock",
    )


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        ("2027-01-01 00:00", "no years"),
        ("*-*-* 00:00:30", "no seconds"),
        ("Mon *-*-01 00:00", "both must fit"),
        ("*-*~03 00:00", "a way that lfr does not know"),
        ("00:00 Europe/Berln", "did you mean Europe/Berlin?"),
    ],
)
def test_times_that_cron_cannot_express(calendar: str, words: str) -> None:
    imported = timer(f"OnCalendar={calendar}")
    assert imported.schedules == () and words in imported.refusals[0]


def test_the_service_of_a_timer() -> None:
    assert service_of("[Timer]\nOnCalendar=daily\n", "a.timer") == "a.service"
    assert service_of("[Timer]\nUnit=b.service\n", "a.timer") == "b.service"
    assert read_command("[Service]\nExecStart=-/bin/a \\\n  -x\nExecStart=/bin/b\n") == "/bin/a -x && /bin/b"
    (one,) = timer("OnCalendar=daily", "").schedules
    assert one.notes == ("The service of /etc/a-b.timer was not found: complete the command.",)
    assert timer("").refusals == ("/etc/a-b.timer: it has no OnCalendar= and no OnUnitActiveSec= in [Timer]",)


@given(st.text(max_size=60), st.booleans())
def test_no_text_breaks_the_readers(text: str, has_users: bool) -> None:
    imported = [read_crontab(text, "tab", "UTC", has_users=has_users)]
    imported += [timer(text), timer(f"OnCalendar={text}"), timer(f"OnUnitActiveSec={text}")]
    for each in imported:
        for schedule in each.schedules:
            compiled(schedule)


@given(st.text(max_size=300))
def test_names_of_flows(words: str) -> None:
    names: dict[str, int] = {}
    for _ in range(3):
        compile_flow(f"@flow {name_of(words, names)} (- schedule: {{every: 5m}} -) A")
    assert len(names) == 3


class CountedNames(dict[str, int]):
    """Names of flows that count how often somebody looks for one."""

    looks = 0

    def __contains__(self, name: object) -> bool:
        self.looks += 1
        return super().__contains__(name)


def test_a_line_that_is_there_many_times_takes_no_longer_each_time() -> None:
    names = CountedNames(a_7=1)
    assert [name_of("a", names) for _ in range(8)] == [
        "a",
        *(f"a_{number}" for number in (2, 3, 4, 5, 6, 8, 9)),
    ]
    for _ in range(2000):
        name_of("a", names)
    assert len(names) == 2009 and names.looks < 3 * 2009


@pytest.mark.parametrize("key", ["OnUnitActiveSec", "OnUnitInactiveSec", "RandomizedDelaySec"])
@pytest.mark.parametrize("digits", [12, 13, 5000])
def test_a_time_span_with_many_digits(key: str, digits: int) -> None:
    """Python converts no text of more than 4,300 digits."""
    text = f"OnCalendar=daily\n{key}={'9' * digits}s"
    refused = timer(text).refusals
    assert bool(refused) == (digits > 12 and key != "RandomizedDelaySec")


@pytest.mark.parametrize("separator", list("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r"))
def test_only_a_line_feed_ends_a_line(separator: str) -> None:
    hidden = f"# a comment{separator}* * * * * /bin/evil\n"
    assert read_crontab(hidden, "tab", "UTC", has_users=False) == Import((), ())
    (job,) = read_crontab(f"@daily /bin/a{separator}@daily b\n", "tab", "UTC", has_users=False).schedules
    assert job.command == f"/bin/a{separator}@daily b"
    compiled(job)
    timer = f"[Timer]\nOnCalendar=daily\n#{separator}OnCalendar=hourly\n"
    assert len(read_timer_unit(timer, "a.timer", "UTC", "/bin/a").schedules) == 1


@pytest.mark.parametrize("command", ["a\x7fb", "rm \u202etxt.\u202c", "a\u2028b", "\ufeffa", "x -)\u200b-)"])
def test_a_flow_text_hides_no_character_of_a_command(command: str) -> None:
    (job,) = read_crontab(f"@daily {command}\n", "tab", "UTC", has_users=False).schedules
    assert job.command == command and all(map(str.isprintable, job.flow_text().split("\n")))
    compiled(job)


def test_many_blanks_take_no_time() -> None:
    text = "A=x" + " " * 1_000_000 + "y\n"
    assert read_crontab(text, "tab", "UTC", has_users=False) == Import((), ())
