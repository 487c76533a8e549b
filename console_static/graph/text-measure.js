/** How wide texts are, in the fonts of the graph, in this browser. */

const FONTS = { title: ["600", "13px", "--sans"], mono: ["400", "12px", "--mono"], small: ["400", "11px", "--sans"] };

/**
 * A measure for `makeGraph`: the width of a text in pixels.
 * @returns {(text: string, font: "title"|"mono"|"small") => number}
 */
export function makeMeasure() {
  const context = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const fonts = Object.entries(FONTS).map(([name, [weight, size, family]]) => [
    name,
    `${weight} ${size} ${style.getPropertyValue(family) || "sans-serif"}`,
  ]);
  const byName = new Map(fonts);
  return (text, font) => {
    if (context.font !== byName.get(font)) context.font = byName.get(font);
    return context.measureText(text).width;
  };
}
