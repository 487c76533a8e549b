"""Named tokens: each has a role, is stored as a hash alone, and counts without a restart of a server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
import redis

from lfr.actor import Actor
from lfr.errors import BadInput, Conflict, NotFound
from lfr.operations.access import Access
from lfr.operations.intervene import terminate_workflow
from lfr.operations.tokens import MAX_TOKENS, RESERVED_NAMES, add_token, list_tokens, remove_token
from lfr.runtime.process import RoleContext
from lfr.store.redis.connection import Store
from lfr.web.app import all_routes, make_app
from lfr.web.auth import AccessPolicy
from lfr.web.http_process import ServerHeartbeat
from lfr.web.named_tokens import NamedTokens
from tests.support.pages import PAGES
from tests.web.conftest import Caller

ROUTES = [(route.method, re.sub(r"\{\w+\}", "1", route.path), route.access) for route in all_routes()]
ROLES = (Access.READ, Access.OPERATE, Access.ADMIN)


@pytest.fixture
def policy() -> AccessPolicy:
    return AccessPolicy("may-operate", "may-read")


@pytest.fixture
def refresh(store: Store, policy: AccessPolicy) -> Callable[[], None]:
    """Returns a function that renews the server's copy of the tokens, as its heartbeat does."""

    def refresh() -> None:
        with store.connect() as connection:
            policy.named.refresh(connection)

    return refresh


@pytest.fixture
def caller(store: Store, policy: AccessPolicy) -> Caller:
    return Caller(make_app(store, policy, max_body=10_000))


def test_each_role_may_do_what_its_routes_say(
    store: Store, caller: Caller, refresh: Callable[[], None]
) -> None:
    tokens = {role: add_token(store, role, role).token for role in ROLES}
    refresh()
    for method, path, access in ROUTES:
        if path == "/live":
            continue
        for role, token in tokens.items():
            status = caller(method, path, authorization=f"Bearer {token}").status
            assert (status == 403) is not role.includes(access), (method, path, role)
            assert status != 401


def test_a_bulk_action_that_deletes_or_archives_needs_the_role_admin(
    store: Store, caller: Caller, refresh: Callable[[], None]
) -> None:
    token = {"authorization": f"Bearer {add_token(store, 'ci', 'operate').token}"}
    refresh()
    for action, status in (("terminate", 200), ("delete", 403), ("archive", 403)):
        body = {"action": action, "where": "flow=x", "dry_run": True}
        assert caller("POST", "/workflows/bulk", body, **token).status == status


def test_a_token_counts_without_a_restart_until_it_is_removed(
    store: Store, caller: Caller, refresh: Callable[[], None], client: redis.Redis
) -> None:
    store = store.acting(Actor("ann@web1"))
    added = add_token(store, "ci", "operate")
    header = {"authorization": f"Bearer {added.token}"}
    assert caller("GET", "/whoami", **header).status == 401
    refresh()
    assert caller("GET", "/whoami", **header).json == {"name": "ci", "role": "operate"}
    id = caller("POST", "/workflows/start", {"workflow": "A"}, **header).json["workflow"]
    [change] = caller("GET", f"/workflows/{id}", **header).json["by_hand"]
    assert change["actor"] == "ci"
    [listed] = list_tokens(store)
    assert (listed["name"], listed["role"], listed["made_by"]) == ("ci", "operate", "ann@web1")
    remove_token(store, "ci")
    refresh()
    assert caller("GET", "/whoami", **header).status == 401
    with pytest.raises(NotFound, match="there is no token ci"):
        remove_token(store, "ci")


@pytest.mark.parametrize("path", ["/live", "/workflows/{id}/live"])
def test_the_streams_of_a_token_end_when_it_is_removed(
    store: Store, caller: Caller, refresh: Callable[[], None], path: str
) -> None:
    header = {"authorization": f"Bearer {add_token(store, 'ci', 'operate').token}"}
    other = {"authorization": f"Bearer {add_token(store, 'ops', 'read').token}"}
    refresh()
    id = caller("POST", "/workflows/start", {"workflow": "A"}, **header).json["workflow"]
    replies = [caller("GET", path.replace("{id}", id), stream=True, **each) for each in (header, other)]
    streams = [iter(reply.stream) for reply in replies]
    for stream in streams:
        assert next(stream).startswith(b"retry")
        assert next(stream).startswith((b"event", b"id"))
    remove_token(store, "ci")
    refresh()
    terminate_workflow(store, id)
    removed, permitted = streams
    assert not list(removed)
    assert b"TERMINATED" in next(permitted)
    for reply in replies:
        reply.stream.close()


def test_nobody_reads_a_token_in_redis(store: Store, client: redis.Redis) -> None:
    token = add_token(store, "ci", "read").token
    assert re.fullmatch(r"lfr_[\w-]{43}", token)
    dump = str([client.hgetall(key) for key in client.keys("*") if client.type(key) in (b"hash", "hash")])
    assert "ci" in dump
    assert token not in dump and token[4:] not in dump


def test_a_token_expires(
    store: Store, caller: Caller, refresh: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = add_token(store, "ci", "read", "1h").token
    refresh()
    assert caller("GET", "/whoami", authorization=f"Bearer {token}").status == 200
    [listed] = list_tokens(store)
    assert listed["expires"] and not listed["expired"]
    in_two_hours = time.time() + 7200
    monkeypatch.setattr("lfr.web.named_tokens.time.time", lambda: in_two_hours)
    assert caller("GET", "/whoami", authorization=f"Bearer {token}").status == 401


def test_the_api_adds_lists_and_removes_tokens(
    caller: Caller, refresh: Callable[[], None], store: Store
) -> None:
    admin = {"authorization": "Bearer may-operate"}
    body = {"name": "ops", "role": "admin", "expires": "90d", "reason": "on call"}
    added = caller("POST", "/tokens", body, **admin)
    assert added.status == 201
    assert caller("POST", "/tokens", body, **admin).status == 409
    refresh()
    own = {"authorization": f"Bearer {added.json['token']}"}
    [listed] = caller("GET", "/tokens", **own).json
    assert listed.items() >= {"name": "ops", "role": "admin", "made_by": "api.token"}.items()
    assert "token" not in listed and "digest" not in listed
    assert caller("DELETE", "/tokens/ops", **own).status == 204
    for wrong in ({"name": "x"}, {"name": "x", "role": "boss"}, {"name": "x", "role": "read", "expires": 9}):
        assert caller("POST", "/tokens", wrong, **admin).status == 400
    [last, *_] = caller("GET", "/events?kind=operator-action", **admin).json
    assert (last["fields"]["action"], last["fields"]["lfr_actor"]) == ('"remove-token"', '"ops"')


def test_what_is_no_token_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "a b", "a/b", "x" * 65, "-x", "é", *RESERVED_NAMES):
        with pytest.raises(BadInput, match="cannot be the name"):
            add_token(store, name, "read")
    with pytest.raises(BadInput, match="there is no role 'none'"):
        add_token(store, "x", "none")
    for lifetime in ("0s", "soon", -1):
        with pytest.raises(BadInput, match="no time until"):
            add_token(store, "x", "read", lifetime)
    add_token(store, "x", "read")
    with pytest.raises(Conflict, match="there is a token x already"):
        add_token(store, "x", "admin")
    monkeypatch.setattr("lfr.operations.tokens.MAX_TOKENS", 1)
    with pytest.raises(Conflict, match="there are 1 tokens"):
        add_token(store, "y", "read")
    assert MAX_TOKENS == 1000


def test_the_heartbeat_of_a_server_renews_its_tokens(store: Store) -> None:
    class Supervisor:
        is_present = False

        def notify(self, *words: str) -> None:
            return

    tokens = NamedTokens()
    context = RoleContext("api", Supervisor(), lambda: None)  # type: ignore[arg-type]
    heartbeat = ServerHeartbeat(context, store, tokens)
    token = add_token(store, "ci", "read").token
    assert tokens.find(token) is None
    heartbeat.beat()
    found = tokens.find(token)
    assert found is not None and found.name == "ci"
    heartbeat.stop()


def test_the_security_page_lists_the_routes_of_the_role_admin() -> None:
    section = PAGES["docs/security.md"].partition("| `admin` |")[2].partition("\n")[0]
    documented = set(re.findall(r"`([A-Z]+ /[^`]*)`", section))
    routes = {f"{route.method} {route.path}" for route in all_routes() if route.access is Access.ADMIN}
    assert documented == routes | {"POST /workflows/bulk"}


def test_a_role_includes_those_before_it() -> None:
    assert [role.includes(Access.OPERATE) for role in ROLES] == [False, True, True]
