"""The console: how soon does a page show its rows, and does it need more memory the longer it is open?

`load` opens the list of workflows in a Chromium with an empty cache, then loads it again, at round trips of
0, 100 and 300 ms. The floor at a latency is four round trips: one to open the connection, one for the
document, one for what it names, one for the rows. `memory` watches pages of a workflow that loops for many
minutes: after the first ones its floor is no growth.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks._browser import VIEWPORT, chromium, console, files, parser, start
from benchmarks._installation import server
from benchmarks._slow_network import Traffic, slow_network

LATENCIES_MS = (0, 100, 300)
WORKFLOWS = 60
QUIET_SECONDS = 1.0

LOOP = "@flow turns\nwait:delay (- duration: 50ms -) -> wait:delay (- duration: 50ms -) -> :start"
VIEWS = ("timeline", "history", "graph")

_WATCH_ROWS = """
(() => {
  const look = () => {
    if (document.querySelector("tbody tr")) window.rowsAt = performance.now();
    else requestAnimationFrame(look);
  };
  look();
})();
"""


def load(browser: Browser, name: str, file: Path, rounds: int) -> None:
    """Print what the first load of the list costs, and the second one, at each latency."""
    with server() as client:
        redis_url = f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}"
        with console(file, redis_url) as url:
            for number in range(WORKFLOWS):
                start(url, "@flow nightly\nfetch -> compile -> publish", {"number": number})
            for latency in LATENCIES_MS:
                figures = [_load_twice(browser, url, latency) for _ in range(rounds)]
                for word, loads in zip(("first load", "reload"), zip(*figures, strict=True), strict=True):
                    seconds, requests, size = (
                        statistics.median(values) for values in zip(*loads, strict=True)
                    )
                    print(
                        f"{name:5} {word:10} at {latency:3} ms: rows after {seconds:5.2f} s,"
                        f" {requests:3.0f} requests, {size / 1024:6.1f} KiB",
                        flush=True,
                    )


def _load_twice(browser: Browser, url: str, latency_ms: int) -> list[tuple[float, int, int]]:
    """Load the list, and load it again. Return for each: seconds until its rows, requests, bytes."""
    context = browser.new_context(viewport=VIEWPORT)
    context.add_init_script(_WATCH_ROWS)
    page = context.new_page()
    figures = []
    with slow_network(url, latency_ms / 1000) as traffic:
        for visit in (lambda: page.goto(traffic.url), page.reload):
            requests, size = traffic.requests, traffic.bytes
            visit()
            page.locator("tbody tr").first.wait_for(timeout=60_000)
            seconds = page.evaluate("new Promise(requestAnimationFrame).then(() => window.rowsAt)") / 1000
            _wait_until_quiet(page, traffic)
            figures.append((seconds, traffic.requests - requests, traffic.bytes - size))
        context.close()
    return figures


def _wait_until_quiet(page: Page, traffic: Traffic) -> None:
    """Wait until no request has been sent for a second."""
    requests = -1
    while requests != traffic.requests:
        requests = traffic.requests
        page.wait_for_timeout(1000 * QUIET_SECONDS)


def watch_memory(browser: Browser, built: dict[str, Path], minutes: int) -> None:
    """Print heap and nodes of the pages of a workflow that loops, each minute, for all files at once."""
    with ExitStack() as stack:
        pages: dict[str, BrowserContext] = {}
        for name, file in built.items():
            client = stack.enter_context(server())
            redis_url = f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}"
            url = stack.enter_context(console(file, redis_url, ("lifecycle", "wait")))
            id = start(url, LOOP)
            for view in VIEWS:
                context = browser.new_context(viewport=VIEWPORT)
                context.new_page().goto(f"{url}/workflows/{id}?view={view}")
                pages[f"{name} {view}"] = context
        begin = time.monotonic()
        for minute in range(1, minutes + 1):
            next(iter(pages.values())).pages[0].wait_for_timeout(
                1000 * (begin + 60 * minute - time.monotonic())
            )
            for name, context in pages.items():
                print(f"{name:15} after {minute:2} min: {_memory(context)}", flush=True)
        for context in pages.values():
            context.close()


def _memory(context: BrowserContext) -> str:
    """Return the heap and the nodes of a page, after its garbage was collected."""
    session = context.new_cdp_session(context.pages[0])
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return f"heap {metrics['JSHeapUsedSize'] / 2**20:6.1f} MiB, {metrics['Nodes']:8,.0f} nodes"


def main() -> None:
    """Measure this file, and another one beside it."""
    options = parser(__doc__)
    options.add_argument("--only", choices=("load", "memory"), help="only one of both")
    options.add_argument("--rounds", type=int, default=3, help="how often each page is loaded")
    options.add_argument("--minutes", type=int, default=10, help="how long pages are watched")
    words = options.parse_args()
    built = files(words.old)
    with sync_playwright() as playwright, chromium(playwright) as browser:
        if words.only != "memory":
            for name, file in built.items():
                load(browser, name, file, words.rounds)
        if words.only != "load":
            watch_memory(browser, built, words.minutes)


if __name__ == "__main__":
    main()
