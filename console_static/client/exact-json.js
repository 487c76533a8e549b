// JSON with exact numbers: 12345678901234567890 must not become 12345678901234567000.

/** A number that a JavaScript number cannot represent exactly: `text`, as in the JSON. */
export class ExactNumber {
  constructor(text) {
    this.text = text;
  }
}

/** Parse JSON. Inexact numbers become ExactNumber, if the browser gives their source text to the reviver. */
export function parseJson(text) {
  const revive = (_, value, context = undefined) =>
    typeof value === "number" && context?.source !== undefined && !isExact(value, context.source)
      ? new ExactNumber(context.source)
      : value;
  return JSON.parse(text, revive);
}

/** Format a value of `parseJson` as JSON, with line breaks and `indent` blanks for each level. */
export function formatJson(value, indent = 2) {
  return formatValue(value, " ".repeat(indent), "");
}

function formatValue(value, step, indent) {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    const items = value.map((item) => indent + step + formatValue(item, step, indent + step));
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (!entries.length) return "{}";
    const members = entries.map(
      ([key, item]) => `${indent}${step}${JSON.stringify(key)}: ${formatValue(item, step, indent + step)}`,
    );
    return `{\n${members.join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Return whether the number equals its source text, apart from notation (1.0, 1e3). */
function isExact(value, source) {
  if (String(value) === source) return true;
  if (!Number.isFinite(value)) return false;
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) || value === 0;
  const digits = source
    .replace(/^-/, "")
    .replace(/[eE].*$/, "")
    .replace(".", "")
    .replace(/^0+|0+$/g, "");
  return digits.length <= 15 && (value !== 0) === (digits !== "");
}
