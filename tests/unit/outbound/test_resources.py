"""Resources, for real: files in a folder, and a server on this machine."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lfr.config.settings import Settings
from lfr.errors import BadSettings
from lfr.outbound.resources import ResourceClient, ResourceFailed
from lfr.tasks.resource import parse_load, parse_store
from lfr.values.json import Json
from tests.support.waiting import STALL_SECONDS
from tests.support.web import Page, WebServer, web_server


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def resources(*allow: object, size: int = 1000, timeout_seconds: float = 10) -> ResourceClient:
    return ResourceClient(
        Settings(
            resources_allow=tuple(map(str, allow)),
            resources_size=size,
            resources_timeout_seconds=timeout_seconds,
        )
    )


def load(client: ResourceClient, uri: object, **more: Json) -> Json:
    return client.load(parse_load({"uri": str(uri), **{k.replace("_", "-"): v for k, v in more.items()}}))


def store(client: ResourceClient, uri: object, value: Json, **more: Json) -> None:
    parameters: Json = {"uri": str(uri), **{k.replace("_", "-"): v for k, v in more.items()}}
    client.store(parse_store(parameters), value, "workflow:w/1/d")


def load_failure(client: ResourceClient, uri: object, **more: Json) -> str:
    with pytest.raises(ResourceFailed) as caught:
        load(client, uri, **more)
    return str(caught.value)


def store_failure(client: ResourceClient, uri: object, value: Json, **more: Json) -> str:
    with pytest.raises(ResourceFailed) as caught:
        store(client, uri, value, **more)
    return str(caught.value)


def test_files_are_loaded_and_stored(tmp_path: Path) -> None:
    client = resources(tmp_path)
    for name in ("a.json", "b.yaml", "c d.yml"):
        uri = (tmp_path / name).as_uri()
        store(client, uri, {"x": [1, "ü"]})
        assert load(client, uri) == {"x": [1, "ü"]}
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, "ü"]}
    (tmp_path / "d").write_text("x: 2026-01-31")
    assert load(client, tmp_path / "d", content_type="text/yaml") == {"x": "2026-01-31"}
    assert load(client, tmp_path / "d", content_type="text/plain") == {"text": "x: 2026-01-31"}


def test_nothing_is_allowed_that_is_not_named(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("[]")
    line = f'`resources.allow: ["{tmp_path}"]`'
    assert load_failure(resources(), file) == (
        f"{file}: it is not allowed: to allow what is in {tmp_path}, the configuration file of the resource "
        f"role needs the line {line}"
    )
    assert "not allowed" in store_failure(resources(tmp_path / "b"), file, {})
    assert file.read_text() == "[]"


def test_links_and_dots_lead_to_what_must_be_allowed_itself(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "a.json").write_text("[]")
    (inside / "file.json").symlink_to(outside / "a.json")
    (inside / "new.json").symlink_to(outside / "new.json")
    (inside / "folder").symlink_to(outside)
    client = resources(inside)
    for way in ("file.json", "folder/a.json", "../outside/a.json", "folder/../outside/a.json"):
        assert f"it leads to {outside}/a.json, which is not allowed" in load_failure(client, inside / way)
        assert "not allowed" in store_failure(client, f"{inside}/{way}", {})
    assert "not allowed" in load_failure(client, f"{inside}/%2e%2e/outside/a.json")
    assert "not allowed" in store_failure(client, inside / "new.json", {})
    assert [path.name for path in outside.iterdir()] == ["a.json"]
    assert (outside / "a.json").read_text() == "[]"


def test_an_allowed_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "a.json").write_text("[1]")
    assert load(resources(tmp_path / "link"), tmp_path / "link" / "a.json") == [1]
    assert load(resources(tmp_path / "link"), tmp_path / "real" / "a.json") == [1]


def test_the_reason_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    client = resources(tmp_path, size=10)
    (tmp_path / "big.json").write_text("[" + " " * 10 + "]")
    (tmp_path / "bad.json").write_text("{]")
    (tmp_path / "a.tar").touch()
    (tmp_path / "folder.json").mkdir()
    assert "has more than the 10 that resources.size allows" in load_failure(client, tmp_path / "big.json")
    assert load_failure(client, tmp_path / "bad.json").startswith(f"{tmp_path}/bad.json: not JSON: ")
    assert "the parameter content-type decides" in load_failure(client, tmp_path / "a.tar")
    assert "there is no such file" in load_failure(client, tmp_path / "none.json")
    assert "it is not a file" in load_failure(client, tmp_path / "folder.json")
    assert "more than the 10 that resources.size allows" in store_failure(
        client, tmp_path / "a.json", ["x" * 9]
    )
    assert "there is no such folder" in store_failure(client, tmp_path / "none" / "a.json", [])
    assert "it is not a file" in store_failure(client, tmp_path / "folder.json", [])
    assert '{"text": ...}' in store_failure(client, tmp_path / "a.txt", [])


def test_pages_are_loaded(server: WebServer) -> None:
    server.pages["/a"] = Page(b'{"x": 1}', "application/json; charset=utf-8")
    server.pages["/b.yaml?q=1"] = Page(b"x: 1", "application/octet-stream")
    server.pages["/c"] = Page(b"x: 1", "text/plain")
    client = resources(server.url)
    assert load(client, f"{server.url}/a") == {"x": 1}
    assert load(client, f"{server.url}/b.yaml?q=1#part") == {"x": 1}
    assert load(client, f"{server.url}/c") == {"text": "x: 1"}
    assert load(client, f"{server.url}/c", content_type="application/yaml") == {"x": 1}
    assert [request.headers["accept"] for request in server.requests][2:] == [
        "application/json, application/yaml, text/*;q=0.9, */*;q=0.5",
        "application/yaml",
    ]


def test_what_is_compressed_counts_as_it_is_read(server: WebServer) -> None:
    packed = {"Content-Encoding": "gzip"}
    server.pages["/small.json"] = Page(gzip.compress(b'{"x": 1}'), headers=packed)
    server.pages["/bomb.json"] = Page(gzip.compress(b"[" + b" " * 50_000_000 + b"]"), headers=packed)
    client = resources(server.url, size=100_000)
    assert load(client, f"{server.url}/small.json") == {"x": 1}
    assert "more than the 100000 that" in load_failure(client, f"{server.url}/bomb.json")


def test_a_redirect_leads_where_it_is_allowed_and_nowhere_else(server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("[]")
    targets = {
        "/ok/1": "../ok/2",
        "/ok/2": f"{server.url}/ok/3.json",
        "/ok/out": "/other/x.json",
        "/ok/host": "http://evil.example/ok/x.json",
        "/ok/user": server.url.replace("//", "//u@") + "/ok/3.json",
        "/ok/file": (tmp_path / "secret.json").as_uri(),
        "/ok/odd": "http://[",
        "/ok/loop": "/ok/loop",
    }
    for path, target in targets.items():
        server.pages[path] = Page(status=302, headers={"Location": target})
    server.pages["/ok/3.json"] = Page(b"[3]")
    server.pages["/other/x.json"] = Page(b"[4]")
    client = resources(f"{server.url}/ok", tmp_path)

    assert load(client, f"{server.url}/ok/1") == [3]
    assert f"leads to {server.url}/other/x.json, which is not allowed" in load_failure(
        client, f"{server.url}/ok/out"
    )
    assert "leads to http://evil.example/ok/x.json, which is" in load_failure(client, f"{server.url}/ok/host")
    assert "no user or password" in load_failure(client, f"{server.url}/ok/user")
    assert "which is not on the web" in load_failure(client, f"{server.url}/ok/file")
    assert "redirected to what cannot be used" in load_failure(client, f"{server.url}/ok/odd")
    assert "redirected more than 5 times" in load_failure(client, f"{server.url}/ok/loop")
    assert "/other/x.json" not in [request.path for request in server.requests]


def test_the_reason_has_the_status_and_the_beginning_of_the_body(server: WebServer) -> None:
    server.pages["/down"] = Page(b"sorry,\n  we are closed\n" + b"x" * 5000, status=503)
    client = resources(server.url)
    message = load_failure(client, f"{server.url}/down")
    assert message.startswith(
        f"{server.url}/down: it answers 503 Service Unavailable: sorry, we are closed x"
    )
    assert len(message) < 400
    assert "404 Not Found: nothing here" in load_failure(client, f"{server.url}/none")


def test_a_store_sends_its_input(server: WebServer) -> None:
    server.pages["/in"] = Page(b"x" * 5000, status=201)
    client = resources(server.url)
    store(client, f"{server.url}/in", {"x": 1})
    store(client, f"{server.url}/in", {"x": 1}, method="PUT", content_type="application/yaml")
    post, put = server.requests
    assert (post.method, json.loads(post.content)) == ("POST", {"x": 1})
    assert post.headers["content-type"] == "application/json"
    assert post.headers["idempotency-key"] == "workflow:w/1/d"
    assert (put.method, put.content) == ("PUT", b"x: 1\n")
    assert put.headers["content-type"] == "application/yaml"
    assert "idempotency-key" not in put.headers


def test_a_store_that_is_not_done_fails(server: WebServer) -> None:
    server.pages["/moved"] = Page(status=307, headers={"Location": "/in"})
    server.pages["/full"] = Page(b"no space", status=507)
    client = resources(server.url, size=10)
    assert f"leads to {server.url}/in" in store_failure(client, f"{server.url}/moved", [])
    assert "507 Insufficient Storage: no space" in store_failure(client, f"{server.url}/full", [])
    count = len(server.requests)
    assert "more than the 10 that" in store_failure(client, f"{server.url}/in", ["x" * 100])
    assert "not allowed" in store_failure(resources(), f"{server.url}/in", [])
    assert len(server.requests) == count


def test_a_refused_connection_is_reported() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert load_failure(resources(url), f"{url}/x") == f"{url}/x: no connection: Connection refused"


def test_an_unknown_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "there is no such host" in load_failure(resources("http://h.invalid"), "http://h.invalid/x")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "the connection broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "the connection broke off"),
        (b"no HTTP at all\r\n\r\n", "the connection broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "the connection broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", "gzip"),
    ],
)
def test_half_a_response_is_none(reply: bytes, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert message in load_failure(resources(url), f"{url}/x.json")
        finally:
            thread.join()


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
def test_a_silent_server_is_given_up(reply: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        given_up = threading.Event()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(reply)
                given_up.wait(STALL_SECONDS)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert "no whole answer within 0.2 s" in load_failure(
                resources(url, timeout_seconds=0.2), f"{url}/x.json"
            )
        finally:
            given_up.set()
            thread.join()


def test_a_server_that_trickles_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        given_up = threading.Event()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n[")
                while not given_up.wait(0.01):
                    connection.sendall(b" ")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            message = load_failure(resources(url, size=10**9, timeout_seconds=0.2), f"{url}/x.json")
            assert "no whole answer within 0.2 s" in message
        finally:
            given_up.set()
            thread.join()


def test_a_setting_that_could_never_match_stops_the_role() -> None:
    with pytest.raises(BadSettings, match=r"resources\.allow: 'data' is neither"):
        resources("data")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_name_leads_to_no_address_of_this_network(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    system = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if options["flags"] and host == "api.example":
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        return system(address if host == "api.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    base = f"http://api.example:{server.url.rpartition(':')[2]}/"
    client = resources(base)
    for failure in (load_failure(client, base + "a"), store_failure(client, base + "a", 1)):
        assert failure.startswith(f"{base}a: it is not allowed: api.example has the address")
    assert server.requests == []
    server.pages["/a"] = Page(b"1", "application/json")
    if address == "127.0.0.1":
        assert load(resources(base, "127.0.0.0/8"), base + "a") == 1


def test_any_host_of_the_internet_is_none_of_this_machine(server: WebServer) -> None:
    client = resources(f"http://*:{server.url.rpartition(':')[2]}/")
    assert "127.0.0.1 is loopback" in load_failure(client, f"{server.url}/a")
    assert server.requests == []
