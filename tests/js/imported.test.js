import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  reasonsOf,
  summaryOf,
  typeOf,
} from "../../conversations/static/conversations/js/imported.js";

const NOTHING = { added: 0, grown: 0, already_there: 0, messages: 0 };

test("a report is summed up in words", () => {
  assert.equal(summaryOf(NOTHING), "Nothing was added.");
  assert.equal(
    summaryOf({ added: 1, grown: 2, already_there: 3, messages: 40 }),
    "1 conversation added. 2 conversations have grown. 40 messages are new. " +
      "3 conversations were here already.",
  );
});

test("what was not taken is named with its number", () => {
  assert.deepEqual(reasonsOf({ refused: { empty: 2 }, left_out: { tool: 1, image: 3 } }), [
    "2 empty conversations",
    "1 step of a tool",
    "3 messages' images",
  ]);
  assert.deepEqual(reasonsOf({ left_out: { unknown: 1, unreachable: 2 } }), [
    "3 parts that cannot be read",
  ]);
  assert.deepEqual(reasonsOf({ reason: "empty", left_out: {} }), ["1 empty conversation"]);
});

test("every reason of the protocol has words", () => {
  const protocol = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
  const [, rows] = protocol.split("| not taken | because |\n|---|---|\n");
  const table = rows.slice(0, rows.indexOf("\n\n"));
  const reasons = [...table.matchAll(/`(\w+)`/g)].map(([, reason]) => reason);
  assert.ok(reasons.length > 10);
  for (const reason of reasons) {
    assert.match(reasonsOf({ refused: { [reason]: 2 }, left_out: {} })[0], /^2 \w+/);
    assert.match(reasonsOf({ left_out: { [reason]: 2 } })[0], /^2 \w+/);
  }
});

test("a file is sent as what its name says", () => {
  assert.equal(typeOf("export.ZIP"), "application/zip");
  assert.equal(typeOf("a.jsonl"), "application/jsonl");
  assert.equal(typeOf("conversations.json"), "application/json");
});
