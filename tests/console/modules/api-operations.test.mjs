// The OpenAPI document, as the page of the API shows it.

import assert from "node:assert/strict";
import { test } from "node:test";

const { formatCurl, groupOperations, hasText, outlineSchema, requestPath } = await import(
  `${process.env.LFR_CONSOLE}/state/api-operations.js`
);

const text = { type: "string" };
const flow = { type: "string", examples: ["it's -> b"] };
const document = {
  paths: {
    "/workflows": {
      get: {
        operationId: "get-workflows",
        tags: ["workflows"],
        summary: "List workflows.",
        security: [{ token: ["read"] }],
        parameters: [
          {
            name: "size",
            in: "query",
            schema: { type: "integer", minimum: 1, maximum: 10 },
            description: "many",
          },
          { name: "Key", in: "header", schema: text },
        ],
        responses: { 200: { description: "success", content: { "text/event-stream": { schema: text } } } },
      },
    },
    "/workflows/{id}/{name}": {
      post: {
        operationId: "post-x",
        tags: ["workflows"],
        summary: "Start.",
        security: [{ token: ["operate"] }],
        parameters: [{ name: "id", in: "path", required: true, schema: text }],
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: {
                type: "object",
                properties: {
                  flow,
                  other: text,
                  deep: { type: ["array", "null"], items: { $ref: "#/a/b" } },
                },
                required: ["other"],
                oneOf: [{ required: ["flow"] }, { required: ["other"] }],
              },
            },
          },
        },
        responses: { 204: { description: "success" } },
      },
    },
    "/health": {
      get: { operationId: "h", tags: ["server"], summary: "Check.", parameters: [], responses: {} },
    },
  },
  a: { b: { type: "object", properties: { at: { type: "string", format: "date-time" } } } },
};
const groups = groupOperations(document);
const [list, start] = groups[0][1];

test("operations stand in groups, with their parameters, bodies and responses in words", () => {
  assert.deepEqual(
    groups.map(([tag, operations]) => [
      tag,
      operations.map(({ method, path, role }) => [method, path, role]),
    ]),
    [
      [
        "workflows",
        [
          ["GET", "/workflows", "read"],
          ["POST", "/workflows/{id}/{name}", "operate"],
        ],
      ],
      ["server", [["GET", "/health", ""]]],
    ],
  );
  assert.deepEqual(list.parameters[0], {
    name: "size",
    place: "query",
    isRequired: false,
    type: "integer 1 to 10",
    help: "many",
  });
  assert.equal(list.isStream, true);
  assert.equal(
    start.bodies[0].outline,
    "{\n  flow?: text\n  other: text\n  deep?: [{\n    at?: time\n  }] | null\n}",
  );
  assert.deepEqual(start.bodies[0].example, { flow: "it's -> b" });
  assert.deepEqual(start.responses, [{ status: "204", description: "success", media: "", outline: "" }]);
  assert.equal(hasText(start, "post /WORK"), true);
  assert.equal(hasText(start, "list"), false);
});

test("schemas of any form have words", () => {
  assert.equal(outlineSchema({}, document), "any value");
  assert.equal(outlineSchema({ enum: ["a", 1] }, document), '"a" | 1');
  assert.equal(outlineSchema({ anyOf: [text, { type: "null" }] }, document), "text | null");
  assert.equal(outlineSchema({ type: "object" }, document), "object");
  let deep = text;
  for (let depth = 0; depth < 20; depth += 1) deep = { type: "object", properties: { a: deep } };
  assert.match(outlineSchema(deep, document), /\{…\}/);
});

test("a request fits the parameters, and a shell takes its command", () => {
  assert.equal(requestPath(list, { size: " 5 ", Key: "x" }), "/workflows?size=5");
  const values = { id: "workflow:a/1.0", name: "x y/z" };
  assert.equal(requestPath(start, values), "/workflows/workflow%3Aa/1.0/x%20y%2Fz");
  assert.equal(
    formatCurl(list, "http://h/api"),
    `curl -N 'http://h/api/workflows' -H "Authorization: Bearer $(lfr token)"`,
  );
  assert.equal(
    formatCurl(start, "http://h/api"),
    `curl -X POST 'http://h/api/workflows/ID/NAME' -H "Authorization: Bearer $(lfr token)" ` +
      `-H 'Content-Type: application/json' --data-binary '{"flow":"it'\\''s -> b"}'`,
  );
});
