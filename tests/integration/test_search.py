"""Labels and the indexes by which workflows are found: each selection is what comparing all records gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

import pytest
import redis

from lfr.errors import BadInput
from lfr.lifecycle import search_indexer
from lfr.lifecycle.search_indexer import SearchIndexer
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow
from lfr.operations.intervene import delete_workflow, fail_task, restart_workflow, terminate_workflow
from lfr.operations.list_workflows import list_page, list_workflows, make_filter
from lfr.operations.select_workflows import Position, select_workflows
from lfr.operations.start import start_workflow
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.roles.lifecycle import Lifecycle
from lfr.runtime.consumer import Consumer
from lfr.states import WorkflowState
from lfr.store.redis.connection import Store
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from tests.integration.conftest import Stepper
from tests.support.waiting import eventually

Make = Callable[[Consumer], Stepper]

FLOW = "@flow order (- labels: {team: red} -) A"


def search_keys(client: redis.Redis) -> dict[str, set[str]]:
    """Return the members of all indexes by flow and label."""
    patterns = ("workflows:flow:*", "workflows:label:*")
    found = [key for pattern in patterns for key in client.scan_iter(pattern)]
    return {key: set(client.zrange(key, 0, -1)) for key in found}


def index_all(store: Store) -> None:
    indexer = SearchIndexer()
    with store.connect() as connection:
        while indexer.run(connection):
            pass


def test_labels_are_kept_and_indexed_until_the_deletion(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, FLOW, {}, "w", labels={"tenant": 7}).id
    assert inspect_workflow(store, id)["labels"] == {"team": "red", "tenant": "7"}
    assert search_keys(client) == {
        "workflows:flow:order": {id},
        "workflows:label:team=red": {id},
        "workflows:label:tenant=7": {id},
    }
    assert not start_workflow(store, FLOW, {}, "w", labels={"tenant": 8}).is_new
    assert inspect_workflow(store, id)["labels"] == {"team": "red", "tenant": "7"}
    terminate_workflow(store, id)
    delete_workflow(store, id)
    assert search_keys(client) == {}


def test_an_archive_has_the_labels(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, FLOW, {}, "w", labels={"tenant": 7}).id
    document = json.loads(json.dumps(archive_workflow(store, id)))
    assert document["record"]["labels"] == {"team": "red", "tenant": "7"}
    copy = restore_workflow(store, document)
    assert inspect_workflow(store, copy)["labels"] == {"team": "red", "tenant": "7"}
    assert search_keys(client)["workflows:label:tenant=7"] == {id, copy}
    document["record"]["labels"] = {"a b": "c"}
    with pytest.raises(BadInput, match="a label's name"):
        restore_workflow(store, document)


def test_items_inherit_no_labels(store: Store, client: redis.Redis, stepper: Make) -> None:
    lifecycle = stepper(Lifecycle(store))
    id = start_workflow(store, "@flow f (- labels: {a: b} -) * A", [1, 2], "w").id
    eventually(lambda: lifecycle.step() or bool(client.exists(f"{id}/1.1")))
    assert inspect_workflow(store, f"{id}/1.0")["labels"] == {}
    assert search_keys(client) == {"workflows:flow:f": {id}, "workflows:label:a=b": {id}}


def test_a_half_lost_workflow_leaves_no_index(store: Store, client: redis.Redis) -> None:
    lost = start_workflow(store, FLOW, {}, "lost", labels={"tenant": 7}).id
    start_workflow(store, FLOW, {}, "other")
    client.delete(lost)
    assert [each["id"] for each in list_workflows(store, WorkflowFilter(flow="order"))] == ["workflow:other"]
    delete_workflow(store, lost)
    assert set().union(*search_keys(client).values()) == {"workflow:other"}


@pytest.fixture
def records(store: Store, client: redis.Redis) -> list[Record]:
    """Sixty workflows of several flows, labels, states, reasons and times, some of the same millisecond."""
    random = Random(7)
    ids = []
    for n in range(60):
        text = random.choice(["@flow order; A", "@flow invoice; A", "A", "@flow reorder; A"])
        labels = {name: random.choice("xyz") for name in ("tenant", "prio") if random.random() < 0.7}
        ids.append(start_workflow(store, text, {}, f"{random.choice(['w', 'order'])}-{n}", labels=labels).id)
    for id in ids:
        action = random.choice(["none", "terminate", "fail", "fail", "restart"])
        if action in ("fail", "restart"):
            fail_task(store, id, 1, random.choice(["Timeout after 3 s", "no disk", "HTTP 503"]))
        if action == "terminate":
            terminate_workflow(store, id)
        if action == "restart":
            restart_workflow(store, id)
    for number, id in enumerate(ids):
        started_ms = 1_700_000_000_000 + number // 4
        client.hset(id, "started", started_ms)
        for key in client.scan_iter("workflows:*", _type="zset"):
            client.zadd(key, {id: started_ms}, xx=True)
    with store.connect() as connection:
        return [record for record in load_records(connection, ids, for_list=True) if record is not None]


def random_filters(records: list[Record]) -> Iterator[WorkflowFilter]:
    random = Random(11)
    times = [record.started_ms for record in records]
    for _ in range(60):
        yield WorkflowFilter(
            states=tuple(random.sample(list(WorkflowState), random.choice([0, 0, 1, 2]))),
            flow=random.choice([None, None, "order", "", "none"]),
            labels={name: random.choice("xy") for name in ("tenant", "prio") if random.random() < 0.3},
            since_ms=random.choice([None, None, *times]),
            until_ms=random.choice([None, None, *times]),
            text=random.choice(["", "", "ORDER", "w-1", "invoice"]),
            reason=random.choice(["", "", "", "timeout", "503"]),
        )


@pytest.mark.parametrize("is_searchable", [True, False])
@pytest.mark.parametrize("max_cost", [1, 100_000])
def test_each_selection_is_what_comparing_all_records_gives(
    store: Store, records: list[Record], is_searchable: bool, max_cost: int
) -> None:
    if is_searchable:
        index_all(store)
    random = Random(13)
    for filter in random_filters(records):
        for newest_first in (True, False):
            expected = [
                record.id
                for record in sorted(
                    records, key=lambda each: (each.started_ms, each.id), reverse=newest_first
                )
                if filter.matches(record)
            ]
            selected: list[str] = []
            after: Position | None = None
            while True:
                with store.connect() as connection:
                    selection = select_workflows(
                        connection,
                        filter,
                        after,
                        count=random.choice([1, 3, 50]),
                        newest_first=newest_first,
                        max_cost=max_cost,
                    )
                assert selection.next != after or after is None
                selected += [record.id for record in selection.records]
                after = selection.next
                if after is None:
                    break
            assert selected == expected, filter


def test_a_rare_workflow_is_found_at_once(store: Store, client: redis.Redis) -> None:
    rare = start_workflow(store, FLOW, {}, "rare", labels={"tenant": "7"}).id
    for n in range(300):
        start_workflow(store, "@flow usual; A", {}, f"usual-{n}")
    index_all(store)
    for where in ("flow=order", "label.tenant=7", "text~RARE", "flow=order state=RUNNING text~order"):
        page = list_page(store, make_filter(store, where=where))
        assert ([each["id"] for each in page.workflows], page.next) == ([rare], None)
    assert list_page(store, make_filter(store, where="label.tenant=7")).candidates == 1


def test_what_is_deleted_between_pages_moves_no_other(store: Store) -> None:
    ids = [start_workflow(store, "A", {}, f"w{n}").id for n in range(6)]
    first = list_page(store, size=2)
    assert [each["id"] for each in first.workflows] == [ids[5], ids[4]]
    for id in (ids[5], ids[4], ids[3]):
        terminate_workflow(store, id)
        delete_workflow(store, id)
    start_workflow(store, "A", {}, "w6")
    assert [each["id"] for each in list_page(store, after=first.next).workflows] == [ids[2], ids[1], ids[0]]


def forget_indexes(client: redis.Redis) -> None:
    """Make all as a build without these indexes has left it."""
    client.delete("workflows:flows", "workflows:searchable", *search_keys(client))


def test_workflows_of_an_earlier_build_are_indexed(
    store: Store, client: redis.Redis, stepper: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_indexer, "_PAGE", 3)
    monkeypatch.setattr(search_indexer, "_CHECK_SECONDS", 0.0)
    ids = [start_workflow(store, FLOW, {}, f"w{n}", labels={"n": n}).id for n in range(7)]
    start_workflow(store, "A", {}, "nameless")
    expected = search_keys(client)
    forget_indexes(client)
    assert {each["id"] for each in list_workflows(store, WorkflowFilter(flow="order"))} == set(ids)
    assert [each["id"] for each in list_workflows(store, WorkflowFilter(labels={"n": "3"}))] == [ids[3]]
    lifecycle = stepper(Lifecycle(store))
    monkeypatch.setattr("lfr.lifecycle.housekeeper._EVERY_SECONDS", 0.0)
    eventually(lambda: lifecycle.step() or search_keys(client) == expected)
    eventually(lambda: lifecycle.step() or bool(client.exists("workflows:searchable")))
    # An earlier build that still runs starts another one.
    late = start_workflow(store, FLOW, {}, "late").id
    client.zrem("workflows:flow:order", late)
    eventually(lambda: lifecycle.step() or client.zscore("workflows:flow:order", late) is not None)


def test_the_name_of_a_flow_without_workflows_is_forgotten(store: Store, client: redis.Redis) -> None:
    id = start_workflow(store, FLOW).id
    start_workflow(store, "@flow other; A")
    index_all(store)
    terminate_workflow(store, id)
    delete_workflow(store, id)
    assert client.smembers("workflows:flows") == {"order", "other"}
    index_all(store)
    assert client.smembers("workflows:flows") == {"other"}
