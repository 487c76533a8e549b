// Text of users in sentences of the console.

const DIRECTION_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const ISOLATES = /[\u2066-\u2069]/g;

const CONTROLS =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Return a text in one line, with what controls a terminal or the direction of text escaped: `\x1b`. */
export const escapeControls = (text) =>
  text.replace(CONTROLS, (char) => {
    const code = char.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });

/** Isolate a text with direction controls, so that it cannot reorder its surroundings. (Unicode, UAX #9) */
export const isolateBidi = (text) =>
  DIRECTION_CONTROLS.test(text) ? `\u2068${text.replace(ISOLATES, "")}\u2069` : text;

/** Return a message of the server as a sentence. A name that it begins with, as `mail:a`, stays as it is. */
export const asSentence = (/** @type {string} */ message) =>
  message.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase());
