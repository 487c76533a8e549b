// The form for the inputs that a flow declares: its fields, and the input that they make. No DOM.

import { ExactNumber, formatJson, parseJson } from "../client/exact-json.js";

/** The one field of a flow that declares no inputs: its content is the whole input. */
const WHOLE_INPUT = {
  name: "input",
  label: "Input",
  hint: "Any value, as JSON; the flow declares no inputs. Empty: none.",
  kind: "json",
  declaration: {},
  allowed: [],
  options: [],
  required: false,
  hasDefault: false,
  initial: "",
};

const WORDS = {
  number: "A number",
  integer: "A whole number",
  object: "An object, as JSON",
  array: "A list, as JSON",
};

/** Format a value as JSON in one line. Line breaks in texts are escaped, so all others are layout. */
export const formatLine = (value) => formatJson(value, 0).replaceAll(",\n", ", ").replaceAll("\n", "");

const formatForPeople = (value) => (typeof value === "string" ? value : formatLine(value));

/**
 * Return the fields for the declarations of `/flows/NAME`: `name`; `label`; `hint`, what its value may be;
 * `kind`: `choice` of `options`, `check`, `number`, `text`, or `json`; `required`; `hasDefault`; `initial`,
 * its content before anybody changes it: true or false of a check, else a text.
 * Without declarations there is one field for the whole input.
 *
 * @param {Record<string, any>} inputs
 */
export function listFields(inputs) {
  const names = Object.keys(inputs);
  return names.length ? names.map((name) => describeField(name, inputs[name])) : [WHOLE_INPUT];
}

function describeField(name, declaration) {
  const kind = chooseKind(declaration);
  const allowed = kind === "choice" ? declaration.enum : [];
  const field = {
    name,
    label: declaration.title || name,
    kind,
    allowed,
    options: allowed.map((value) => ({ content: formatLine(value), label: formatForPeople(value) })),
    required: declaration.required === true,
    hasDefault: Object.hasOwn(declaration, "default"),
    declaration,
  };
  return { ...field, hint: describeHint(field), initial: describeInitial(field) };
}

function chooseKind({ type, enum: allowed }) {
  if (allowed) return "choice";
  if (type === "boolean") return "check";
  if (type === "integer" || type === "number") return "number";
  return type === "string" ? "text" : "json";
}

function describeHint({ kind, declaration, hasDefault }) {
  const { description, pattern } = declaration;
  const sentences = [];
  if (description) sentences.push(/[.!?]$/.test(description) ? description : `${description}.`);
  if (kind === "number") sentences.push(`${WORDS[declaration.type]}${describeBounds(declaration)}.`);
  if (kind === "json") sentences.push(`${WORDS[declaration.type] ?? "Any value, as JSON"}.`);
  if (pattern !== undefined) sentences.push(`A text that matches ${pattern}`);
  if (hasDefault && kind !== "check") sentences.push(`Default: ${formatForPeople(declaration.default)}`);
  return sentences.join(" ");
}

function describeBounds({ minimum, maximum }) {
  const [least, most] = [minimum, maximum].map((bound) => bound !== undefined && formatLine(bound));
  if (least && most) return ` from ${least} to ${most}`;
  if (least) return `, ${least} or more`;
  return most ? `, ${most} or less` : "";
}

function describeInitial({ kind, declaration, hasDefault }) {
  if (kind === "check") return declaration.default === true;
  if (!hasDefault) return "";
  if (kind === "text") return declaration.default;
  return kind === "json" ? formatJson(declaration.default) : formatLine(declaration.default);
}

/**
 * Return the content of a field. `contents`, by name, has those that somebody has changed, perhaps in the
 * form of another version of the flow.
 *
 * @param {Map<string, string | boolean>} contents
 */
export function readContent(field, contents) {
  const content = contents.get(field.name);
  const isUsable = (typeof content === "boolean") === (field.kind === "check");
  if (content === undefined || !isUsable) return field.initial;
  const isMissing = field.kind === "choice" && content !== "" && !findOption(field, content);
  return isMissing ? field.initial : content;
}

/**
 * Return the contents, by name, with which the fields make this input again. What no field has is omitted.
 *
 * @param {any[]} fields
 * @param {any} input
 */
export function fillContents(fields, input) {
  if (fields[0] === WHOLE_INPUT) return new Map([[WHOLE_INPUT.name, formatJson(input)]]);
  const given = fields.filter(({ name }) => Object.hasOwn(input ?? {}, name));
  return new Map(given.map((field) => [field.name, formatContent(field, input[field.name])]));
}

function formatContent(field, value) {
  if (field.kind === "check") return value === true;
  if (field.kind === "text") return String(value);
  return field.kind === "json" ? formatJson(value) : formatLine(value);
}

const findOption = (field, content) => field.options.find((option) => option.content === content);

/**
 * Return the `input` that the fields make (undefined: none), and `errors`, by name, of those whose content is
 * no value. What nobody has changed is omitted: the server fills in defaults. It also checks the values, so
 * that console, command line and API refuse the same, in the same words.
 *
 * @param {object[]} fields
 * @param {Map<string, string | boolean>} contents
 */
export function buildInput(fields, contents) {
  const errors = new Map();
  const members = [];
  for (const field of fields) {
    try {
      const value = readValue(field, contents);
      if (value !== undefined) members.push([field.name, value]);
    } catch (error) {
      errors.set(field.name, /** @type {Error} */ (error).message);
    }
  }
  const input = fields[0] === WHOLE_INPUT ? members[0]?.[1] : Object.fromEntries(members);
  return { input, errors };
}

/** Return the value of a field; undefined if it has none. Throws an Error if its content is no value. */
function readValue(field, contents) {
  const content = readContent(field, contents);
  if (field.kind === "check") return contents.has(field.name) || field.required ? content : undefined;
  if (!contents.has(field.name)) return undefined;
  if (field.kind === "choice") {
    const position = field.options.findIndex((option) => option.content === content);
    return field.allowed[position];
  }
  if (field.kind === "text") return content === "" && !field.hasDefault ? undefined : content;
  if (!content.trim()) return undefined;
  return field.kind === "number" ? readNumber(field, content) : readJson(field, content);
}

function readNumber({ name, declaration }, content) {
  const word = WORDS[declaration.type].toLowerCase();
  const refuse = () => new Error(`input.${name} must be ${word}, as ${word === "a number" ? "0.5" : "5"}`);
  let value;
  try {
    value = parseJson(content);
  } catch {
    throw refuse();
  }
  if (typeof value !== "number" && !(value instanceof ExactNumber)) throw refuse();
  return value;
}

function readJson(field, content) {
  try {
    return parseJson(content);
  } catch (error) {
    const subject = field === WHOLE_INPUT ? "the input" : `input.${field.name}`;
    throw new Error(`${subject} is not JSON: ${/** @type {Error} */ (error).message}`);
  }
}

/**
 * Sort the refusal of a start: `errors`, by the name of the field that each concerns; `idError`, of the id;
 * and `problem`, what concerns no field, or null.
 *
 * @param {any} problem of the API
 * @param {object[]} fields
 * @param {string} id that the start has sent, or empty
 */
export function placeErrors(problem, fields, id) {
  const names = new Set(fields.map((field) => field.name));
  const placed = problem.inputs.filter(({ name }) => names.has(name));
  const errors = new Map(placed.map(({ name, message }) => [name, message]));
  const isAboutId = id !== "" && !problem.inputs.length && [400, 409].includes(problem.status);
  if (isAboutId)
    return { errors, idError: [problem.message, problem.hint].filter(Boolean).join(": "), problem: null };
  const isPlaced = placed.length > 0 && placed.length === problem.inputs.length;
  return { errors, idError: "", problem: isPlaced ? null : problem };
}
