"""The rules of notices by the API: listed, and tested through a role."""

from __future__ import annotations

import threading

from lfr.notices.rules import parse_rules
from lfr.runtime.heartbeat import this_process
from lfr.store.notices import publish_rules, read_recipients, report_test_commands, take_due
from lfr.store.processes import heartbeat_commands
from lfr.store.redis.connection import Store
from tests.support.waiting import eventually
from tests.web.conftest import Caller


def test_rules_are_listed_and_tested(call: Caller, store: Store) -> None:
    nothing = {"is_alive": False, "rules": [], "recipients": [], "lost": []}
    assert call("GET", "/notices").json == nothing
    refused = call("POST", "/notices/test", {"rule": "r"})
    assert (refused.status, refused.json["detail"]) == (409, "no notify role runs, so nothing is delivered")
    with store.connect() as connection:
        connection.execute(heartbeat_commands(this_process("notify", {}), 60))
        publish_rules(connection, parse_rules({"r.when": "failed", "r.to": "command:a, command:b"}))
        listed = call("GET", "/notices").json
        assert listed["is_alive"]
        assert [(rule["name"], rule["to"]) for rule in listed["rules"]] == [("r", ["command:a", "command:b"])]
        assert call("POST", "/notices/test", {"rule": "s"}).status == 404
        assert call("POST", "/notices/test", {"rule": 1}).status == 400
        replies = []
        sender = threading.Thread(target=lambda: replies.append(call("POST", "/notices/test", {"rule": "r"})))
        sender.start()
        states = eventually(lambda: read_recipients(connection))
        for queued in take_due(connection, dict.fromkeys(states, 1), states, 1000):
            problem = "no line" if queued.recipient == "command:b" else ""
            connection.transact(report_test_commands(queued, problem))
        sender.join()
    assert replies[0].json == [
        {"recipient": "command:a", "problem": None},
        {"recipient": "command:b", "problem": "no line"},
    ]
