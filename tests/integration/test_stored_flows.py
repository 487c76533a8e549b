"""Stored flows: versions, plans, starts by name, and what a removal takes with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable

import pytest
import redis

from lfr import Client
from lfr.errors import BadInput, NotFound
from lfr.language import FlowError, check_flow
from lfr.operations.archive.archive import archive_workflow, restore_workflow
from lfr.operations.inspect.workflow import inspect_workflow, read_flow, read_flow_text
from lfr.operations.intervene import delete_workflow, terminate_workflow
from lfr.operations.start import start_workflow
from lfr.operations.stored_flows import (
    Change,
    FlowChange,
    FlowSource,
    apply_flows,
    describe_flow,
    list_flows,
    start_stored_flow,
)
from lfr.operations.workers import find_unserved_tasks
from lfr.store.redis.connection import Store

ONE = "@flow order '''Sells.'''\ncheck -> pay"
TWO = "@flow order '''Sells.'''\ncheck -> pay (- currency: EUR -) -> send"


def applied(store: Store, *texts: str, prune: bool = False, dry_run: bool = False) -> list[FlowChange]:
    return apply_flows(
        store, [FlowSource(text, f"{n}.flow") for n, text in enumerate(texts)], prune=prune, dry_run=dry_run
    )


def brief(plan: list[FlowChange]) -> list[tuple[str, Change, int]]:
    return [(change.name, change.change, change.version) for change in plan]


def test_a_flow_that_differs_becomes_the_next_version(store: Store) -> None:
    assert brief(applied(store, ONE, "@flow build A")) == [("build", Change.NEW, 1), ("order", Change.NEW, 1)]
    assert brief(applied(store, "# a comment\n" + ONE)) == [
        ("order", Change.UNCHANGED, 1),
        ("build", Change.MISSING, 1),
    ]
    change, _ = applied(store, TWO)
    assert (change.change, change.version, change.previous) == (Change.CHANGED, 2, 1)
    assert change.diff == (
        "- task: pay",
        '+ task: pay (- {"currency": "EUR"} -)',
        "+ task: send",
        "- pay -> end",
        "+ pay -> send",
        "+ send -> end",
    )
    assert brief(applied(store, ONE))[0] == ("order", Change.CHANGED, 3)  # back: numbers only grow
    order = describe_flow(store, "order@2")
    assert (order["version"], order["text"], order["doc"]) == (2, TWO, "Sells.")
    assert [version["version"] for version in order["versions"]] == [3, 2, 1]
    assert [(flow["name"], flow["version"], flow["versions"]) for flow in list_flows(store)] == [
        ("build", 1, 1),
        ("order", 3, 3),
    ]


def test_a_workflow_keeps_its_version(store: Store) -> None:
    applied(store, ONE)
    first = start_stored_flow(store, "order", {"n": 1}, "mine")
    applied(store, TWO)
    assert not start_stored_flow(store, "order@1", {"n": 1}, "mine").is_new
    second = start_stored_flow(store, "order").id
    assert second.startswith("workflow:order-")
    assert inspect_workflow(store, first.id)["version"] == 1
    assert inspect_workflow(store, second)["version"] == 2
    assert read_flow_text(store, second) == TWO
    applied(store, prune=True)
    assert read_flow_text(store, first.id) == ONE and len(read_flow(store, first.id).steps) == 4
    terminate_workflow(store, second)
    document = json.loads(json.dumps(archive_workflow(store, second)))
    delete_workflow(store, second)
    assert inspect_workflow(store, restore_workflow(store, document, None))["version"] == 2


def test_a_removal_leaves_what_workflows_use(store: Store, client: redis.Redis) -> None:
    short, long = "@flow a A", "@flow b " + " -> ".join(["long-name"] * 20)
    applied(store, short, long)
    applied(store, "@flow a B", long)
    applied(store, short)
    id = start_stored_flow(store, "b").id
    references = client.hgetall("flows:refs")
    assert sorted(map(int, references.values())) == [1, 2, 2, 2]  # a@2; a@1 and a@3; b twice, and its text
    assert brief(applied(store, prune=True, dry_run=True)) == [
        ("a", Change.REMOVED, 3),
        ("b", Change.REMOVED, 1),
    ]
    assert client.hgetall("flows:refs") == references
    applied(store, prune=True)
    assert list_flows(store) == []
    assert sorted(map(int, client.hgetall("flows:refs").values())) == [1, 1]
    assert len(client.keys("flow:*")) == 2
    terminate_workflow(store, id)
    delete_workflow(store, id)
    assert not client.exists("flows:refs") and client.keys("flow:*") == []
    assert brief(applied(store, short)) == [("a", Change.NEW, 4)]


def test_all_or_nothing(store: Store, client: redis.Redis) -> None:
    with pytest.raises(FlowError) as error:
        applied(store, ONE, "@flow x A -> ->", "@flow y -> B")
    assert [each.place.partition(":")[0] for each in error.value.errors] == ["1.flow", "2.flow"]
    with pytest.raises(BadInput, match=r"2\.flow: the flow order stands in 0\.flow, too"):
        applied(store, ONE, "@flow x A", TWO)
    with pytest.raises(BadInput, match=r"0\.flow: a flow without a name .*@flow NAME"):
        applied(store, "A -> B")
    assert brief(applied(store, ONE, dry_run=True)) == [("order", Change.NEW, 1)]
    assert client.keys("flow*") == []


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("ordre", r"no flow is stored under the name ordre \(.*order"),
        ("order@7", r"the stored flow order has no version 7 \(the latest are 1"),
        ("order@0", "cannot be the name of a stored flow"),
        ("order@1\n", "cannot be the name of a stored flow"),
        ("", "cannot be the name of a stored flow"),
    ],
)
def test_what_is_not_stored(store: Store, reference: str, message: str) -> None:
    applied(store, ONE)
    for operation in (start_stored_flow, describe_flow):
        with pytest.raises((NotFound, BadInput), match=message):
            operation(store, reference)


def test_many_at_once_get_numbers_of_their_own(store: Store) -> None:
    gate = threading.Barrier(6)

    def apply(number: int) -> None:
        gate.wait()
        applied(store, f"@flow order task{number}")

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = describe_flow(store, "order")["versions"]
    assert [version["version"] for version in versions] == [6, 5, 4, 3, 2, 1]
    assert len({version["digest"] for version in versions}) == 6


def test_a_start_checks_its_input_and_fills_in_defaults(store: Store) -> None:
    text = "@flow order (- inputs: {unit: {default: kg}, n: {type: integer, required: true}} -)\nA"
    applied(store, text)
    for start in (
        lambda input: start_stored_flow(store, "order", input),
        lambda input: start_workflow(store, text, input),
    ):
        assert inspect_workflow(store, start({"n": 1}).id)["input"] == {"n": 1, "unit": "kg"}
        with pytest.raises(
            BadInput, match=r'input\.n is "1", but must be a whole number; input\.m is unknown'
        ):
            start({"n": "1", "m": 2})
    assert not start_workflow(store, text, {"n": 1}, start_stored_flow(store, "order", {"n": 1}).id).is_new
    assert list(describe_flow(store, "order")["inputs"]) == ["unit", "n"]  # as in the text


def test_the_client(store: Store) -> None:
    lfr = Client(store.settings.redis_url)
    assert [change["change"] for change in lfr.apply_flows([ONE], dry_run=True)] == ["new"]
    assert [change["version"] for change in lfr.apply_flows(ONE)] == [1]
    assert lfr.inspect(lfr.run(flow="order", input={"n": 1}))["version"] == 1
    assert lfr.inspect(lfr.run("A"))["version"] is None
    assert ([flow["name"] for flow in lfr.flows()], lfr.flow("order@1")["text"]) == (["order"], ONE)
    for arguments in ({}, {"flow_text": "A", "flow": "order"}, {"flow": "order", "name": "x"}):
        with pytest.raises(BadInput):
            lfr.run(**arguments)
    assert [change["change"] for change in lfr.apply_flows([], prune=True)] == ["removed"]


def test_what_is_applied_reads_the_versions_of_its_own_flows(store: Store, client: redis.Redis) -> None:
    applied(store, *(f"@flow f{number}\nA" for number in range(30)))
    applied(store, "@flow f7\nB", "@flow f9\nA", prune=False)
    client.config_resetstat()
    plan = applied(store, "@flow new\nA -> flow:f7", "@flow f9\nflow:f7 (- version: 1 -)")
    assert client.info("commandstats")["cmdstat_hgetall"]["calls"] <= 8
    changes = {change.name: (change.change, change.version) for change in plan}
    assert (changes["new"], changes["f9"]) == ((Change.NEW, 1), (Change.CHANGED, 2))
    assert {changes[f"f{number}"] for number in range(30) if number not in (7, 9)} == {(Change.MISSING, 1)}
    assert changes["f7"] == (Change.MISSING, 2)
    applied(store, "@flow new\nA", prune=True)
    assert brief(applied(store, "@flow new\nA")) == [("new", Change.UNCHANGED, 2)]
    with pytest.raises(BadInput, match="did you mean new"):
        applied(store, "@flow other\nflow:nw")


def test_a_flow_that_calls_what_is_not_stored_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="pay is neither stored nor one") as caught:
        applied(store, "@flow order flow:pay")
    assert caught.value.place == "0.flow"
    assert list_flows(store) == []
    applied(store, "@flow order flow:pay", "@flow pay A")
    applied(
        store, "@flow order flow:pay (- version: 1 -) -> * flow:order"
    )  # what is stored already, and itself
    with pytest.raises(BadInput, match="pay has no version 2") as caught:
        applied(store, "@flow order flow:pay (- version: 2 -)", dry_run=True)
    assert caught.value.hint == "it has 1"
    with pytest.raises(BadInput, match="pay is neither stored"):
        applied(store, "@flow order flow:pay", prune=True)
    assert [flow["name"] for flow in list_flows(store)] == ["order", "pay"]
    applied(store, "@flow order flow:pay (- version: 2 -)", "@flow pay B")  # the version that it gets with it


def test_a_call_is_checked_like_any_built_in_task(store: Store) -> None:
    applied(store, "@flow pay A")

    def problems(text: str) -> list[str]:
        def find(names: Iterable[str]) -> dict[str, tuple[str, str]]:
            unserved = find_unserved_tasks(store, names)
            return {name: (task.message, task.hint) for name, task in unserved.items()}

        return [each.message for each in check_flow(text, find_unserved=find).diagnostics]

    assert problems("flow:pay (- versoin: 1 -)")[0].startswith("flow:pay has no parameter versoin")
    assert "this would fail: flow:pay: version is 0, but must be" in problems("flow:pay (- version: 0 -)")[0]
    assert problems("@task p = flow:pya p") == ["no flow is stored under the name pya"]
    assert problems("* flow:pay (- version: 7 -)") == ["the stored flow pay has no version 7"]
    assert problems("flow:1x") == ["'1x' cannot be the name of a stored flow"]


def test_a_page_of_stored_flows_reads_no_others(store: Store, client: redis.Redis) -> None:
    apply_flows(store, [FlowSource(f"@flow {team}-{n:02}\nA") for team in ("a", "b") for n in range(40)])
    keep = [FlowSource(f"@flow {team}-{n:02}\nA") for team in ("a", "b") for n in range(40) if n != 12]
    apply_flows(store, keep, prune=True)  # a name that has had a flow leaves no gap
    client.config_resetstat()
    page = list_flows(store, prefix="b-", after="b-09", size=5)
    assert [flow["name"] for flow in page] == ["b-10", "b-11", "b-13", "b-14", "b-15"]
    calls = {name: each["calls"] for name, each in client.info("commandstats").items()}
    assert (calls["cmdstat_hget"], calls["cmdstat_hlen"], calls["cmdstat_hgetall"]) == (6, 6, 1)
    assert [flow["name"] for flow in list_flows(store, after="b-38")] == ["b-39"]
    assert list_flows(store, prefix="c") == []
    for size in (0, 1001):
        with pytest.raises(BadInput, match="1 to 1000"):
            list_flows(store, size=size)
