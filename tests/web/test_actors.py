"""Who changes something by the API, and why."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.web.conftest import Caller


@pytest.mark.parametrize("way", ["body", "query"])
def test_a_change_says_which_token_has_made_it_and_why(guarded: Caller, way: str) -> None:
    token = {"authorization": "Bearer may-operate"}
    reason = "wrong input \u2713"
    query, body = ("", {"reason": reason}) if way == "body" else (f"?reason={quote(reason)}", {})
    start = {"workflow": "A", "id": "w"}
    assert guarded("POST", f"/workflows/start{query}", {**start, **body}, **token).status == 201
    assert guarded("POST", f"/workflows/w/steps/1/retry{query}", body or None, **token).status == 204
    assert guarded("POST", f"/workflows/w/terminate{query}", body or None, **token).status == 200
    changes = guarded("GET", "/workflows/w", **token).json["by_hand"]
    assert [change["event"] for change in changes] == ["started", "retried", "terminated"]
    assert {(change["actor"], change["actor_reason"]) for change in changes} == {("api.token", reason)}
    for wrong in ({"reason": 7}, [], {"raeson": "x"}):
        assert guarded("POST", "/workflows/w/restart", wrong, **token).status == 400
    assert guarded("DELETE", f"/workflows/w?reason={quote(reason)}", **token).status == 204
    [event] = guarded("GET", "/events?kind=operator-action&size=1", **token).json
    assert (event["fields"]["action"], event["fields"]["lfr_actor"]) == ('"delete"', '"api.token"')
