// Words of users within sentences of ours.

const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const ISOLATES = /[\u2066-\u2069]/g;

/** A text that may turn the direction of writing, so that it does so within itself alone. (Unicode, UAX #9) */
export const isolated = (text) => (TURNS.test(text) ? `\u2068${text.replace(ISOLATES, "")}\u2069` : text);
