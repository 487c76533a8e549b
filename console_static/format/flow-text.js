// The text of a flow: positions for the editor, and the command line.

export const EXAMPLE_FLOW = `@flow order '''
An order, from its payment to the parcel.
'''

check:stock -> {
  pay -> wait:delay (- duration: 5 -)
  pack
} -> > ship -> ? \`$[?(@.gift == true)]\` wrap
`;

/** Convert a line and column (from 1, in code points) to an offset in UTF-16 code units, within the text. */
export function findOffset(text, line, column) {
  let start = 0;
  for (let at = 1; at < line; at += 1) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  const inLine = text.slice(start).split("\n", 1)[0];
  return start + [...inLine].slice(0, column - 1).join("").length;
}

/** Count the lines of a text; an empty text has one. */
export const countLines = (text) => text.split("\n").length;

/** Quote a word for a shell if it needs quotes. */
export const quoteForShell = (text) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** Build the command line that starts the same workflow. `input` and `id` may be empty. */
export const buildCommandLine = (file, input, id) => buildRun([file || "FILE"], input, id);

/** Build the command line that starts a stored flow, `NAME@VERSION`. `input` and `id` may be empty. */
export const buildStoredCommandLine = (reference, input, id) => buildRun(["--flow", reference], input, id);

function buildRun(flow, input, id) {
  const words = ["lfr", "run", ...flow];
  if (id) words.push("--workflow-id", id);
  if (input.trim()) words.push("--input", input.trim());
  return words.map((word) => quoteForShell(word)).join(" ");
}
