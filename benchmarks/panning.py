"""Panning: does the console's graph move smoothly, however large the flow is?

A pointer drags graphs of 500, 1,000 and 2,000 steps in a Chromium: at the first view, in half size, and with
the whole graph in the frame. The floor is the time of a frame, 1/60 s. Chromium runs without a GPU: what a
GPU would draw, the processor draws here.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks._browser import VIEWPORT, chromium, console, files, parser, start
from benchmarks._installation import server

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


def measure(page: Page, name: str) -> None:
    """Drag the graph of the page for four seconds. Print how many frames a second it has shown."""
    frames = sorted(page.evaluate(_DRAG))
    rate = 1000 * len(frames) / sum(frames)
    slow = frames[int(0.95 * len(frames))]
    elements = page.evaluate("document.querySelectorAll('.graph *').length")
    times = f"median {statistics.median(frames):6.1f} ms, 95 % within {slow:6.1f} ms"
    print(f"{name:45} {rate:5.1f} frames/s, {times}, {elements:6,} elements", flush=True)


def measure_sizes(browser: Browser, name: str, file: Path) -> None:
    """Measure each size as one chain and as chains side by side."""
    page = browser.new_page(viewport=VIEWPORT)
    with server() as client:
        redis_url = f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}"
        with console(file, redis_url) as url:
            for steps in SIZES:
                for wide in (False, True):
                    id = start(url, flow_of(steps, wide=wide))
                    page.goto(f"{url}/workflows/{id}?view=graph")
                    page.locator(".graph .node, .graph canvas").first.wait_for(timeout=120_000)
                    shape = "side by side" if wide else "one chain"
                    measure(page, f"{name}: {steps:,} steps, {shape}, first view")
                    page.keyboard.type("--")
                    measure(page, f"{name}: {steps:,} steps, {shape}, half size")
                    page.keyboard.press("f")
                    measure(page, f"{name}: {steps:,} steps, {shape}, whole")
            page.close()


def main() -> None:
    """Measure this file, and another one beside it."""
    built = files(parser(__doc__).parse_args().old)
    with sync_playwright() as playwright, chromium(playwright) as browser:
        for name, file in built.items():
            measure_sizes(browser, name, file)


if __name__ == "__main__":
    main()
