// The text of a flow in an editor, and as a command line.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const { EXAMPLE_FLOW, buildCommandLine, countLines, findOffset, quoteForShell } = await import(
  `${process.env.LFR_CONSOLE}/format/flow-text.js`
);

test("a place by line and column", () => {
  const text = "ab\n😀x\n\nlast";
  const cases = [
    [1, 1, 0],
    [1, 3, 2],
    [2, 1, 3],
    [2, 2, 5],
    [3, 1, 7],
    [4, 4, 11],
    [9, 1, text.length],
    [2, 99, 6],
  ];
  for (const [line, column, at] of cases)
    assert.equal(findOffset(text, line, column), at, `${line}:${column}`);
});

test("lines are counted as editors do", () => {
  for (const [text, count] of [
    ["", 1],
    ["a", 1],
    ["a\n", 2],
    ["\n\n", 3],
  ])
    assert.equal(countLines(text), count);
});

test("a shell reads each word as it was meant", () => {
  for (const word of [
    "plain-1.flow",
    "it's",
    "",
    " ",
    "$(rm -rf /)",
    "`x`",
    'a"b',
    "a\nb",
    "*",
    "~",
    "-x",
    "ü",
  ]) {
    const output = execFileSync("/bin/sh", ["-c", `printf %s ${quoteForShell(word)}`], { encoding: "utf-8" });
    assert.equal(output, word);
  }
  assert.equal(quoteForShell("plain-1.flow"), "plain-1.flow");
});

test("the same on the command line", () => {
  assert.equal(buildCommandLine("", "", ""), "lfr run FILE");
  assert.equal(
    buildCommandLine("a b.flow", ' {"n": 1} ', "mine"),
    `lfr run 'a b.flow' --workflow-id mine --input '{"n": 1}'`,
  );
});

test("there is an example", () => assert.match(EXAMPLE_FLOW, /^@flow \w+/));
