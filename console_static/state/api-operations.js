// What the OpenAPI document says, as the page of the API shows it: operations by group, types in words,
// requests.

import { pathSegment } from "../client/api.js";

const MAX_DEPTH = 6;
const METHODS = ["get", "post", "put", "delete"];
const STREAM = "text/event-stream";
const TYPES = { string: "text", boolean: "true | false", integer: "integer", number: "number", null: "null" };

/**
 * Return the operations of a document by their tag, in its order: `[[tag, operations], ...]`. Each has
 * `method`, `path`, `summary`, `role` ("": no token is needed), `parameters` (`name`, `place`, `isRequired`,
 * `type`, `help`), `bodies` and `responses` (`status`, `description`, `media`, `outline`), `isStream`.
 */
export function groupOperations(document) {
  const groups = new Map();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS.filter((each) => each in item)) {
      const operation = readOperation(document, method, path, item[method]);
      const tag = item[method].tags?.[0] ?? "";
      groups.set(tag, [...(groups.get(tag) ?? []), operation]);
    }
  }
  return [...groups];
}

function readOperation(document, method, path, operation) {
  const content = operation.requestBody?.content ?? {};
  const responses = Object.entries(operation.responses).map(([status, response]) => {
    const [media = "", body] = Object.entries(response.content ?? {})[0] ?? [];
    const outline = body ? outlineSchema(body.schema, document) : "";
    return { status, description: response.description, media, outline };
  });
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    summary: operation.summary,
    role: operation.security?.[0]?.token?.[0] ?? "",
    isStream: responses.some(({ media }) => media === STREAM),
    parameters: operation.parameters.map((each) => ({
      name: each.name,
      place: each.in,
      isRequired: Boolean(each.required),
      type: outlineSchema(each.schema, document),
      help: each.description ?? "",
    })),
    bodies: Object.entries(content).map(([media, { schema }]) => ({
      media,
      isRequired: Boolean(operation.requestBody.required),
      help: schema.description ?? "",
      outline: outlineSchema(schema, document),
      example: exampleOf(schema),
    })),
    responses,
  };
}

/** Return whether an operation has a text in its method, path or summary. */
export const hasText = ({ method, path, summary }, text) =>
  `${method} ${path} ${summary}`.toLowerCase().includes(text.trim().toLowerCase());

/** Return a schema in words: `text`, `"a" | "b"`, `[integer]`, or the members of an object, one a line. */
export function outlineSchema(schema, document, depth = 0) {
  if (schema.$ref) return outlineSchema(resolveReference(schema.$ref, document), document, depth);
  const alternatives = alternativesOf(schema);
  if (alternatives) return alternatives.map((each) => outlineSchema(each, document, depth)).join(" | ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  const types = [schema.type ?? []].flat();
  if (types.length === 0) return "any value";
  return types.map((type) => outlineType(type, schema, document, depth)).join(" | ");
}

/** Those that each say all of a value; an object may have some that only say which members go together. */
const alternativesOf = (schema) => (schema.properties ? undefined : (schema.anyOf ?? schema.oneOf));

function outlineType(type, schema, document, depth) {
  if (type === "array") {
    return depth < MAX_DEPTH ? `[${outlineSchema(schema.items ?? {}, document, depth)}]` : "[…]";
  }
  if (type === "object") return outlineObject(schema, document, depth);
  if (type === "string" && schema.format === "date-time") return "time";
  const { minimum, maximum } = schema;
  const bounds = minimum === undefined ? "" : ` ${minimum} to ${maximum}`;
  return (TYPES[type] ?? type) + (type === "integer" ? bounds : "");
}

function outlineObject(schema, document, depth) {
  const members = Object.entries(schema.properties ?? {});
  if (members.length === 0) return "object";
  if (depth >= MAX_DEPTH) return "{…}";
  const indent = "  ".repeat(depth + 1);
  const lines = members.map(([name, member]) => {
    const mark = schema.required?.includes(name) ? "" : "?";
    return `${indent}${name}${mark}: ${outlineSchema(member, document, depth + 1)}`;
  });
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

/** `#/components/schemas/Problem` -> that part of the document. */
const resolveReference = (reference, document) =>
  reference
    .slice("#/".length)
    .split("/")
    .reduce((part, name) => part[name], document);

/** Return an example of what fits a schema: with the required members of an object, or else its first one. */
function exampleOf(schema) {
  if (schema.examples) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  const alternatives = alternativesOf(schema);
  if (alternatives) return exampleOf(alternatives[0]);
  const type = [schema.type ?? "object"].flat()[0];
  if (type === "array") return [exampleOf(schema.items ?? {})];
  if (type === "object") {
    const members = Object.entries(schema.properties ?? {});
    const names = schema.oneOf?.[0].required ?? schema.required ?? [];
    const required = members.filter(([name]) => names.includes(name));
    const chosen = required.length ? required : members.slice(0, 1);
    return Object.fromEntries(chosen.map(([name, member]) => [name, exampleOf(member)]));
  }
  return { string: "TEXT", boolean: true, integer: schema.minimum ?? 1, number: 1 }[type] ?? null;
}

/**
 * Return the path of a request, with its query. `values` has texts by the name of a parameter; one of the
 * path without a value stays as `NAME` in capitals; one of the query is left out.
 */
export function requestPath({ path, parameters }, values) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    const text = values[name]?.trim() || name.toUpperCase();
    // The id of an item has slashes: they are part of the path.
    return name === "id" ? text.split("/").map(pathSegment).join("/") : pathSegment(text);
  });
  const query = parameters
    .filter(({ name, place }) => place === "query" && values[name]?.trim())
    .map(({ name }) => `${encodeURIComponent(name)}=${encodeURIComponent(values[name].trim())}`);
  return query.length ? `${filled}?${query.join("&")}` : filled;
}

/** Return the command that sends a request to the API at `root`, for a shell. */
export function formatCurl(operation, root, values = {}) {
  const words = ["curl"];
  if (operation.method !== "GET") words.push("-X", operation.method);
  if (operation.isStream) words.push("-N");
  words.push(quote(root + requestPath(operation, values)));
  if (operation.role) words.push('-H "Authorization: Bearer $(lfr token)"');
  const body = operation.bodies[0];
  if (body?.isRequired && body.media === "multipart/form-data") {
    for (const [name, text] of Object.entries(body.example)) words.push("-F", quote(`${name}=${text}`));
  } else if (body?.isRequired) {
    const text = typeof body.example === "string" ? body.example : JSON.stringify(body.example);
    words.push("-H", quote(`Content-Type: ${body.media}`), "--data-binary", quote(text));
  }
  return words.join(" ");
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
