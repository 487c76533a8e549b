// Text of users in sentences of the console.

const DIRECTION_CONTROLS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const ISOLATES = /[\u2066-\u2069]/g;

/** Isolate a text with direction controls, so that it cannot reorder its surroundings. (Unicode, UAX #9) */
export const isolateBidi = (text) =>
  DIRECTION_CONTROLS.test(text) ? `\u2068${text.replace(ISOLATES, "")}\u2069` : text;
