"""Panning: does the console's graph move smoothly, however large the flow is?

A pointer drags graphs of 500, 1,000 and 2,000 steps in a Chromium: at the first view, in half size, and with
the whole graph in the frame. The floor is the time of a frame, 1/60 s. Chromium runs without a GPU: what a
GPU would draw, the processor draws here.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from benchmarks._installation import free_port, server
from lfr import Client

SIZES = (500, 1000, 1998)
CHAIN = 20

_DRAG = """
async () => {
  const picture = document.querySelector(".graph-picture");
  const { left, top, width, height } = picture.getBoundingClientRect();
  const send = (type, x, y) => {
    const place = { clientX: left + x, clientY: top + y, pointerId: 1, isPrimary: true, buttons: 1 };
    picture.dispatchEvent(new PointerEvent(type, { ...place, pointerType: "mouse", bubbles: true }));
  };
  picture.setPointerCapture = () => {}; // no such pointer is there to be captured
  const frame = () => new Promise(requestAnimationFrame);
  const times = [await frame()];
  send("pointerdown", width / 2, height / 2);
  for (let angle = 0; times.at(-1) - times[0] < 4000; angle += 0.05) {
    send("pointermove", width / 2 + Math.sin(angle) * 400, height / 2 + Math.sin(2 * angle) * 150);
    times.push(await frame());
  }
  send("pointerup", width / 2, height / 2);
  return times.slice(1).map((time, place) => time - times[place]);
}
"""


def flow_of(steps: int, *, wide: bool) -> str:
    """Return a flow of one chain, or of chains of 20 steps side by side."""
    length = CHAIN if wide else steps
    chains = (range(first, min(first + length, steps)) for first in range(0, steps, length))
    return "@flow large\n" + "\n".join(" -> ".join(f"s{number}" for number in chain) for chain in chains)


@contextmanager
def console(redis_url: str) -> Iterator[str]:
    """Run the console of the built file. Yield its URL."""
    address = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "LFR_REDIS_URL": redis_url, "LOG_LEVEL": "WARNING"}
    environment |= {"LFR_API_TOKEN": "token", "LFR_API_REQUIRE_TOKEN": "remote"}
    command = [sys.executable, os.environ["LFR_FILE"], "console", address]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_until_up(f"http://{address}/api/health/ready")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the console did not start within 30 s")


def measure(page: Page, name: str) -> None:
    """Drag the graph of the page for four seconds. Print how many frames a second it has shown."""
    frames = sorted(page.evaluate(_DRAG))
    rate = 1000 * len(frames) / sum(frames)
    slow = frames[int(0.95 * len(frames))]
    elements = page.evaluate("document.querySelectorAll('.graph *').length")
    times = f"median {statistics.median(frames):6.1f} ms, 95 % within {slow:6.1f} ms"
    print(f"{name:39} {rate:5.1f} frames/s, {times}, {elements:6,} elements", flush=True)


def main() -> None:
    """Measure each size as one chain and as chains side by side."""
    with server() as client, sync_playwright() as playwright:
        redis_url = f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        with console(redis_url) as url:
            for steps in SIZES:
                for wide in (False, True):
                    id = Client(redis_url).run(flow_of(steps, wide=wide), {})
                    page.goto(f"{url}/workflows/{id}?view=graph")
                    page.locator(".graph .node, .graph canvas").first.wait_for(timeout=120_000)
                    shape = "side by side" if wide else "one chain"
                    measure(page, f"{steps:,} steps, {shape}, first view")
                    page.keyboard.type("--")
                    measure(page, f"{steps:,} steps, {shape}, half size")
                    page.keyboard.press("f")
                    measure(page, f"{steps:,} steps, {shape}, whole")
        browser.close()


if __name__ == "__main__":
    main()
