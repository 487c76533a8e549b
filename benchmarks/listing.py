"""Listing: does a page of workflows cost more among many than among few?

The floor of a page among 100,000 workflows is the same page among 100: by HTTP it takes at most 1.5 times as
long. A search for a text that hardly any workflow has looks at no more than 5,000 workflows for a page; its
floor is a search for a text that every workflow has, among as many.
"""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPResponse
from typing import Any

import redis

from benchmarks._installation import free_port, processes, server
from lfr.language import compile_flow

FEW = 100
MANY = 100_000
TIMES = 200

STATES = ("RUNNING", "FINISHED", "FINISHED", "FINISHED", "FAILED")


def fill(client: redis.Redis, first: int, last: int) -> None:
    """Write the records and indexes of workflows that a list reads."""
    flow = compile_flow("@flow demo\nfetch -> compile -> publish")
    client.set(f"flow:{flow.digest}", flow.canonical_json)
    pipe = client.pipeline(transaction=False)
    for number in range(first, last):
        id, state, started = (
            f"workflow:demo-{number:06}",
            STATES[number % len(STATES)],
            1_700_000_000_000 + number,
        )
        counts = f"{int(state == 'RUNNING')} 3 0 {int(state == 'FAILED')}"
        record: dict[str, Any] = {"flow": flow.digest, "name": "demo", "source": "fetch"}
        record |= {"state": state, "started": started, "counts": counts, "steps": 5, "brief": "no reason"}
        pipe.hset(id, mapping=record)
        pipe.zadd("workflows:all", {id: started})
        pipe.zadd(f"workflows:state:{state}", {id: started})
        if number % 1000 == 999:
            pipe.execute()
    pipe.execute()


def milliseconds(few: str, many: str) -> tuple[float, float]:
    """Request two URLs in turns. Return the median of each in milliseconds."""
    seconds_by_url: dict[str, list[float]] = {few: [], many: []}
    for _ in range(TIMES):
        for url, times in seconds_by_url.items():
            begin = time.perf_counter()
            with urllib.request.urlopen(url) as reply:
                reply.read()
            times.append(time.perf_counter() - begin)
    return statistics.median(seconds_by_url[few]) * 1e3, statistics.median(seconds_by_url[many]) * 1e3


def page_after(url: str, number: int) -> str:
    """Return the URL of the page that begins after this workflow."""
    return f"{url}&next={1_700_000_000_000 + number}_workflow:demo-{number:06}"


def pages(url: str, count: int) -> dict[str, str]:
    """Return the URLs of the pages that are measured, by name."""
    list = f"{url}/workflows?size=50"
    return {
        "first": list,
        "middle": page_after(list, count // 2 + 25),
        "last": page_after(list, 50),
        "of a state": f"{list}&state=FINISHED",
        "with a text": f"{list}&text=demo",
        "counts": f"{url}/workflows/counts",
    }


def main() -> None:
    """Measure each page among few and among many: two databases of one server, with an API for each."""
    with server() as client:
        port = client.connection_pool.connection_kwargs["port"]
        urls = {}
        with ExitStack() as stack:
            for database, count in ((1, FEW), (2, MANY)):
                fill(redis.Redis(host="127.0.0.1", port=port, db=database), 0, count)
                api_port = free_port()
                urls[count] = f"http://127.0.0.1:{api_port}"
                redis_url = f"redis://127.0.0.1:{port}/{database}"
                api = ["-m", "lfr", "api", f"127.0.0.1:{api_port}", "--url", redis_url]
                stack.enter_context(processes(client, api))
                wait_until_up(lambda url=urls[count]: urllib.request.urlopen(f"{url}/health/ready"))
            for name, page in pages(urls[FEW], FEW).items():
                floor, among = milliseconds(page, pages(urls[MANY], MANY)[name])
                times = f"{name:12} {floor:6.2f} ms among {FEW}, {among:6.2f} ms among {MANY:,}"
                print(f"{times}   ratio {among / floor:.2f}  (at most 1.5)", flush=True)
            search = "/workflows?size=50&text=nowhere"
            floor, among = milliseconds(urls[FEW] + search, urls[MANY] + search)
            print(f"a text that none has: {floor:.2f} ms for {FEW} names, {among:.2f} ms for 5,000")


def wait_until_up(request: Callable[[], HTTPResponse]) -> None:
    """Repeat a request until it is answered."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            request().close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the API did not start within 10 s")


if __name__ == "__main__":
    main()
