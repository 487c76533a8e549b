// JSON whose numbers stay what they were: 12345678901234567890 must not become 12345678901234567000.

/** A number that JavaScript's own cannot hold, as it was written. */
export class ExactNumber {
  constructor(text) {
    this.text = text;
  }
}

/** Read JSON. Numbers that would change are kept as ExactNumber, where the browser tells their text. */
export function readJson(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context?.source !== undefined && !isSame(value, context.source)
      ? new ExactNumber(context.source)
      : value,
  );
}

/** Write a value that `readJson` has read as indented JSON. */
export function writeJson(value, indent = 2) {
  return lines(value, " ".repeat(indent), "");
}

function lines(value, step, before) {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    return `[\n${value.map((item) => before + step + lines(item, step, before + step)).join(",\n")}\n${before}]`;
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (!entries.length) return "{}";
    const told = entries.map(([key, item]) => `${before}${step}${JSON.stringify(key)}: ${lines(item, step, before + step)}`);
    return `{\n${told.join(",\n")}\n${before}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Whether a number is told by JavaScript as what was written, but for how it was written (1.0, 1e3). */
function isSame(value, source) {
  if (String(value) === source) return true;
  if (!Number.isFinite(value)) return false;
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) || value === 0;
  const digits = source.replace(/^-/, "").replace(/[eE].*$/, "").replace(".", "").replace(/^0+|0+$/g, "");
  return digits.length <= 15 && (value !== 0) === (digits !== "");
}
