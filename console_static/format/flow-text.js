// The text of a flow, as an editor shows it.

export const EXAMPLE = `@flow order '''
An order, from its payment to the parcel.
'''

check:stock -> {
  pay -> wait:delay (- duration: 5 -)
  pack
} -> > ship -> ? \`$[?(@.gift == true)]\` wrap
`;

/** The place of a line and column (both from 1, in characters) as an offset into the text (in UTF-16 units). */
export function offsetOf(text, line, column) {
  let start = 0;
  for (let at = 1; at < line; at += 1) {
    const end = text.indexOf("\n", start);
    if (end < 0) return text.length;
    start = end + 1;
  }
  const inLine = text.slice(start).split("\n", 1)[0];
  return start + [...inLine].slice(0, column - 1).join("").length;
}

/** How many lines a text has; none is one. */
export const lineCount = (text) => text.split("\n").length;

/** A word for a shell: quoted where it must be. */
export const shellQuoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** The command line that starts the same. */
export function commandLine(file, input, id) {
  const words = ["lfr", "run", file || "FILE"];
  if (id) words.push("--workflow-id", id);
  if (input.trim()) words.push("--input", input.trim());
  return words.map((word) => shellQuoted(word)).join(" ");
}
