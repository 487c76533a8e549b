"""Histories: any reason is kept as it is, and workflows whose older history is a stream have one history."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from lfr import Client
from lfr.engine.transition import Fact, FactKind
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow, list_history
from lfr.operations.intervene import delete_workflow, fail_task, restart_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.store.redis.connection import Store
from lfr.store.workflows import history
from lfr.store.workflows.commit import history_command
from lfr.store.workflows.history import (
    HistoryEntry,
    entry_order,
    read_history,
    read_history_since,
    read_record_and_history,
    read_whole_history,
)

REASONS = ["no", "a\nb\n", "\n", " 5 -4", "\r\n\t\0", "é\U0001f600", "1796013322152 -4", "x" * 10_000]


def test_any_reason_is_read_as_it_was_written(store: Store) -> None:
    facts = [Fact(4, FactKind.ENDED, 1), Fact(5, FactKind.FAILED, 2)]
    with store.connect() as connection:
        entries = [(facts, reason, None) for reason in REASONS]
        connection.execute([history_command("workflow:x", 7, [*entries, (facts, "", None), ([], "", None)])])
        read = read_whole_history(connection, "workflow:x").entries
    assert [entry.reason for entry in read] == [*REASONS, "", ""]
    assert [entry.at_ms for entry in read] == [7] * len(read)
    assert [list(entry.facts) for entry in read] == [facts] * (len(read) - 1) + [[]]


def test_a_reason_of_several_lines_reaches_history_and_archive(store: Store) -> None:
    id = start_workflow(store, "A").id
    fail_task(store, id, 1, "one\n-4 two")
    assert list_history(store, id)[-2]["reason"] == "one\n-4 two"
    copy = restore_workflow(store, archive_workflow(store, id))
    assert list_history(store, copy) == list_history(store, id)


@pytest.fixture
def with_stream(store: Store, client: redis.Redis) -> Callable[[str, int], str]:
    """Returns a function that makes a workflow whose history is a stream of so many entries, as an earlier
    version wrote it. The entries are a millisecond apart."""

    def make(text: str, count: int) -> str:
        id = start_workflow(store, text).id
        client.delete(f"{id}:facts")
        for number in range(1, count + 1):
            fields = {"at": number, "facts": "=0 +1" if number == 1 else f"^1.{number}"}
            fields |= {} if number == 1 else {"reason": f"r{number}"}
            client.xadd(f"{id}:history", fields, id=f"{number}-0")
        return id

    return make


def test_a_history_is_a_stream_and_then_a_list(
    store: Store, client: redis.Redis, with_stream: Callable[[str, int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_PAGE", 3)
    id = with_stream("A", 7)
    client.rpush(f"{id}:facts", *(f"{number} ^1.{number}\nr{number}" for number in range(8, 16)))
    times = list(range(1, 16))
    with store.connect() as connection:
        whole = read_whole_history(connection, id).entries
        assert [entry.at_ms for entry in whole] == times
        assert [entry.reason for entry in whole] == ["", *(f"r{number}" for number in times[1:])]
        assert [entry.facts[-1].attempt for entry in whole] == times
        assert [entry.id for entry in whole] == [f"{n}-0" for n in times[:7]] + [f"{n}" for n in times[:8]]
        assert sorted(whole, key=lambda entry: entry_order(entry.id)) == whole
        for count in (1, 2, 7, 8, 100):
            assert read_by_pages(store, id, count) == whole
        for since in (0, 1, 6, 7, 8, 14, 15, 99):
            assert [entry.at_ms for entry in read_history_since(connection, id, since).entries] == times[
                since:
            ]
        record, entries = read_record_and_history(connection, id, after="7-0")
        assert record is not None and record.id == id
        assert [entry.id for entry in entries] == [entry.id for entry in whole[7:]]
        assert [entry.facts for entry in entries] == [f"^1.{time}" for time in times[7:]]


def read_by_pages(store: Store, id: str, count: int) -> list[HistoryEntry]:
    entries: list[HistoryEntry] = []
    with store.connect() as connection:
        while page := read_history(connection, id, after=entries[-1].id if entries else "", count=count):
            entries += page
    return entries


def test_a_workflow_with_a_stream_goes_on(
    store: Store, client: redis.Redis, with_stream: Callable[[str, int], str]
) -> None:
    id = with_stream("A", 3)
    assert inspect_workflow(store, id)["moment"] == "3-0"
    terminate_workflow(store, id)
    expected = [("started", None), ("ended", None), ("started", None), ("retried", "r2"), ("retried", "r3")]
    facts = [(fact["event"], fact["reason"]) for fact in list_history(store, id)]
    assert facts == [*expected, ("terminated", None)]
    followed = [
        change for update in Client(store.settings.redis_url).follow(id) for change in update["changes"]
    ]
    assert [(change["event"], change["reason"]) for change in followed] == facts
    assert inspect_workflow(store, id)["moment"] == "1"
    document = archive_workflow(store, id)
    assert [entry["facts"] for entry in document["history"]] == ["=0 +1", "^1.2", "^1.3", "terminated"]
    delete_workflow(store, id)
    assert list(client.scan_iter(match="workflow:*")) == []
    copy = restore_workflow(store, document)
    assert [(fact["event"], fact["reason"]) for fact in list_history(store, copy)] == facts
    assert not client.exists(f"{copy}:history")
    assert restart_workflow(store, copy) == "RUNNING"
