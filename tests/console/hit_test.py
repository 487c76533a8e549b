"""Finds what cannot be clicked, because something else lies over it."""

from __future__ import annotations

from playwright.sync_api import Page

_SCRIPT = """
() => {
  const root = document.querySelector("dialog[open]") ?? document.body;
  const isOpen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const isPicture = (element) => element.closest(".graph, .timeline") !== null; // they move
  const covered = [];
  for (const element of root.querySelectorAll("a[href], button, select, summary, label.button")) {
    if (!isOpen(element) || isPicture(element)) continue;
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const [box] = element.getClientRects(); // the first line of a link of several
    if (!box || box.width < 2 || box.height < 2) continue;
    const inset = Math.min(5, box.width / 3, box.height / 3);
    const [left, right] = [box.left + inset, box.right - inset];
    const [top, bottom] = [box.top + inset, box.bottom - inset];
    const points = [
      [(left + right) / 2, (top + bottom) / 2],
      [left, top],
      [right, top],
      [left, bottom],
      [right, bottom],
    ];
    for (const [x, y] of points) {
      const hit = document.elementFromPoint(x, y);
      if (hit && element.contains(hit)) continue;
      const what = hit ? `${hit.tagName.toLowerCase()}.${hit.className}` : "nothing";
      covered.push(`${element.textContent.trim().slice(0, 40)}: ${what} lies over it`);
      break;
    }
  }
  scrollTo(0, 0);
  return covered;
}
"""


def covered(page: Page) -> list[str]:
    """Return the buttons and links that cannot be clicked at their centre or corners, each with what lies
    there; those of the open dialog, if there is one."""
    return list(page.evaluate(_SCRIPT))
