"""Which tasks end at once, by how long they have taken."""

from lfr.worker.brief_tasks import BRIEF_SECONDS, BriefTasks

BRIEF = BRIEF_SECONDS / 3


def brief_runs_until_brief(tasks: BriefTasks) -> int:
    count = 0
    while not tasks.is_brief("a"):
        tasks.note("a", BRIEF)
        count += 1
    return count


def test_a_task_is_brief_after_some_brief_runs() -> None:
    tasks = BriefTasks()
    assert 10 < brief_runs_until_brief(tasks) < 25
    assert not tasks.is_brief("b")


def test_one_long_run_counts_however_long_it_was() -> None:
    tasks = BriefTasks()
    for seconds in (0.01, 3600.0):
        brief_runs_until_brief(tasks)
        tasks.note("a", seconds)
        assert not tasks.is_brief("a")
        assert 5 < brief_runs_until_brief(tasks) < 25


def test_a_task_that_is_long_now_and_then_is_never_brief() -> None:
    tasks = BriefTasks()
    for _ in range(20):
        for _ in range(9):
            tasks.note("a", BRIEF)
            assert not tasks.is_brief("a")
        tasks.note("a", 0.02)
