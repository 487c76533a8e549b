"""How the slots of an executor are shared among workflows."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lfr.events import StartTask
from lfr.item_ids import root_workflow
from lfr.store.stream.entries import Entry
from lfr.worker import fair_share as module
from lfr.worker.fair_share import FairShare

WORKFLOWS = ("workflow:a", "workflow:a/1.0", "workflow:a/1.1", "workflow:b")


def task(workflow: str) -> StartTask:
    return StartTask(workflow, "t", "t", 1, None, None, 1)


def batch(
    workflows: list[str], first: int = 0, size: int = 10
) -> tuple[list[tuple[str, StartTask]], list[Entry]]:
    """Return tasks with their entry ids, and their entries, each of so many bytes."""
    ids = [f"{first + number}-0" for number in range(len(workflows))]
    entries = [Entry(id, {b"x": bytes(size)}) for id in ids]
    return [(id, task(workflow)) for id, workflow in zip(ids, workflows, strict=True)], entries


@given(st.lists(st.lists(st.sampled_from(WORKFLOWS), max_size=8), max_size=8), st.randoms())
def test_no_workflow_has_more_than_its_share_and_each_task_begins_once(
    batches: list[list[str]], random: Random
) -> None:
    share, running, begun_ids, first = FairShare(3), {}, [], 0
    for workflows in batches:
        begun, excess = share.admit(*batch(workflows, first))
        assert not excess
        first += len(workflows)
        while begun:
            begun_ids += [id for id, _ in begun]
            running |= {id: root_workflow(each.workflow) for id, each in begun}
            assert max(Counter(running.values()).values()) <= 3
            begun = []
            if running and random.random() < 0.5:
                id = random.choice(sorted(running))
                workflow = running.pop(id)
                following = share.end(id, begin_next=True)
                if following:
                    assert root_workflow(following[1].workflow) == workflow
                    begun = [following]
    while running:
        id, _ = running.popitem()
        if following := share.end(id, begin_next=True):
            begun_ids.append(following[0])
            running[following[0]] = ""
    assert sorted(begun_ids) == sorted(f"{number}-0" for number in range(first))


def test_what_is_held_back_has_bounds() -> None:
    count = module._MAX_HELD + 10
    begun, excess = FairShare(1).admit(*batch(["workflow:a"] * count))
    assert (len(begun), len(excess)) == (1, 9)
    begun, excess = FairShare(1).admit(*batch(["workflow:a"] * 4, size=module._MAX_HELD_BYTES // 2))
    assert (len(begun), len(excess)) == (1, 1)


def test_a_slot_that_a_thread_could_not_use_goes_to_another_task() -> None:
    share = FairShare(1)
    share.admit(*batch(["workflow:a"] * 3))
    share.free("0-0")
    assert [id for id, _ in share.begin_any_held()] == ["1-0"]
    assert share.clear() == ["2-0"]
    assert share.end("1-0", begin_next=True) is None
