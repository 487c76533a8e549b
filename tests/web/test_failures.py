"""The route of failures in groups, and bulk actions on a group."""

from __future__ import annotations

from tests.web.conftest import Caller, start


def test_a_group_names_the_filter_of_its_members(call: Caller) -> None:
    for number in range(3):
        id = start(call, "@flow x; a", id=f"w{number}")
        reason = "no disk" if number == 2 else f"no answer from host{number}"
        call("POST", f"/workflows/{id}/steps/1/fail", {"reason": reason})
    failures = call("GET", "/failures?since=1h&flow=x").json
    assert [(each["reason"], each["count"]) for each in failures["groups"]] == [
        ("no disk", 1),
        ("no answer from host<n>", 2),
    ]
    where = failures["groups"][1]["where"]
    dry = call("POST", "/workflows/bulk", {"action": "restart", "where": where, "dry_run": True}).json
    assert (dry["states"], dry["workflows"]) == ({"FAILED": 2}, ["workflow:w0", "workflow:w1"])
    done = call("POST", "/workflows/bulk", {"action": "restart", "where": where, "as_of": dry["as_of"]}).json
    assert (done["changed"], done["next"]) == (2, None)
    assert call("GET", "/failures").json["failed"] == 1


def test_what_is_no_time_is_refused(call: Caller) -> None:
    reply = call("GET", "/failures?since=yesterday")
    assert reply.status == 400 and "since is" in reply.json["detail"]
