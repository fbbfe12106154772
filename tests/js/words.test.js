import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  endingOf,
  figuresOf,
  progressOf,
  remedyOf,
} from "../../conversations/static/conversations/js/words.js";

const source = readFileSync(new URL("../../streaming/outcome.py", import.meta.url), "utf8");
const FAILURES = [...source.matchAll(/"((?:upstream_\w+)|no_progress|deadline|storage_unavailable|internal)"/g)];

test("every reason of a failure has words of its own", () => {
  const reasons = new Set(FAILURES.map((match) => match[1]));
  assert.ok(reasons.size >= 8, "the reasons were not found");
  const unknown = endingOf({ status: "failed", reason: "unheard_of" });
  for (const reason of reasons) {
    assert.notEqual(endingOf({ status: "failed", reason }), unknown, reason);
  }
});

test("a reply that simply ended says nothing; an unknown reason is shown as its status", () => {
  assert.equal(endingOf({ status: "completed", reason: "stop" }), "");
  assert.equal(endingOf({ status: "interrupted", reason: "unheard_of" }), "Interrupted.");
});

test("a cut reply can be continued, an empty one only tried again", () => {
  const lost = { status: "interrupted", reason: "worker_lost", retryable: true };
  assert.equal(remedyOf(lost, true), "continue");
  assert.equal(remedyOf(lost, false), "retry");
  assert.equal(remedyOf({ status: "completed", reason: "length" }, true), "continue");
  assert.equal(remedyOf({ status: "completed", reason: "stop" }, true), "");
  assert.equal(remedyOf({ status: "failed", reason: "upstream_refused", retryable: false }, true), "retry");
});

test("the state of the connection comes before the state of the reply", () => {
  const reply = { status: "running", phase: "waiting" };
  assert.match(progressOf({ state: "open", accepted: true }, reply), /Waiting for the model/);
  assert.match(progressOf({ state: "reconnecting", accepted: true }, reply), /Reconnecting/);
  assert.match(progressOf({ state: "reconnecting", accepted: false }, reply), /Not sent yet/);
  assert.match(progressOf({ state: "open", accepted: true }, { ...reply, phase: "recovering" }), /Recovering/);
  assert.equal(progressOf({ state: "open", accepted: true }, { ...reply, phase: "streaming" }), "");
});

test("figures are said as far as they are known", () => {
  assert.equal(figuresOf({ usage: null, durationMs: null }), "");
  assert.equal(figuresOf({ usage: { output_tokens: 12 }, durationMs: 3210 }), "12 tokens · 3.2 s");
});
