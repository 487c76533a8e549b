"""Traces by the API: the header of callers, the spans of a workflow, a test of the receiver."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lfr.operations.stored_flows import FlowSource, apply_flows
from lfr.runtime.heartbeat import this_process
from lfr.store.processes import heartbeat_commands
from lfr.store.redis.connection import Store
from lfr.store.traces import ReceiverState, report_test_commands, take_due
from tests.support.span_receiver import parse_request
from tests.support.waiting import eventually
from tests.web.conftest import Caller

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("body", [{"workflow": "A"}, "A", {"flow": "stored"}])
@pytest.mark.parametrize("header", [CALLER, "00-word-1", f"{CALLER},{CALLER}"])
def test_a_workflow_belongs_to_the_trace_of_its_caller(
    call: Caller, store: Store, body: Any, header: str
) -> None:
    """A header that is not valid is ignored. (Trace Context, 3.2.2)"""
    apply_flows(store, [FlowSource("@flow stored A", "stored", None)])
    started = call("POST", "/workflows/start", body, traceparent=header)
    assert started.status == 201
    [root, _] = parse_request(call("GET", f"/workflows/{started.json['workflow']}/trace").json)
    is_valid = header == CALLER
    assert (root.trace_id.hex() == TRACE) == is_valid
    assert root.parent_span_id.hex() == ("00f067aa0ba902b7" if is_valid else "")
    assert call("GET", "/workflows/workflow:none/trace").status == 404


def test_the_receiver_is_tested_through_the_role(call: Caller, store: Store) -> None:
    refused = call("POST", "/traces/test")
    assert (refused.status, refused.json["detail"]) == (409, "no traces role runs, so nothing is exported")
    with store.connect() as connection:
        connection.execute(heartbeat_commands(this_process("traces", {}), 60))
        replies = []
        sender = threading.Thread(target=lambda: replies.append(call("POST", "/traces/test")))
        sender.start()
        [test] = eventually(lambda: take_due(connection, ReceiverState(), count=1, lease_ms=1000))
        connection.transact(report_test_commands(test, "it answers 401", TRACE))
        sender.join()
    assert replies[0].json == {"trace_id": TRACE, "problem": "it answers 401"}
