"""Measures the contrast of texts. (WCAG 2.2, 1.4.3, level AA)"""

from __future__ import annotations

from playwright.sync_api import Page

_SCRIPT = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(rgba(getComputedStyle(each).backgroundColor));
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  };
  const lowContrast = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    const isSeen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!text || !isSeen) continue;
    if (element.closest("svg, option, .hidden, :disabled, [aria-disabled], .gone, .drop-hint")) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const lights = [light(over(rgba(style.color), behind)), light(behind)];
    const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const who = `${element.localName}.${element.className}: ${text.slice(0, 40)}`;
    if (ratio < (isLarge ? 3 : 4.5)) lowContrast.add(`${ratio.toFixed(2)} ${who}`);
  }
  return [...lowContrast];
}
"""


def too_faint(page: Page) -> list[str]:
    """Return the texts with too low a contrast, each with its ratio. Disabled texts do not count."""
    texts: list[str] = page.evaluate(_SCRIPT)
    return texts
