import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isPassing } from "../../conversations/static/conversations/js/again.js";
import { ask } from "../../conversations/static/conversations/js/api.js";
import { refusalOf } from "../../conversations/static/conversations/js/words.js";

before(() => (globalThis.document = { body: { dataset: { base: "/" } } }));
after(() => delete globalThis.document);

/** A connection that is dead without a word. */
const dead = (_, { signal }) =>
  new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason));
    setTimeout(() => reject(new Error("it was not given up")), 1000);
  });

test("a request that nobody answers is given up after a minute, and may be repeated", async (t) => {
  const deadlines = [];
  t.mock.method(globalThis, "fetch", dead);
  const late = new AbortController();
  t.mock.method(AbortSignal, "timeout", (ms) => (deadlines.push(ms), late.signal));
  const asked = ask("/api/session");
  late.abort(new DOMException("signal timed out", "TimeoutError"));
  const error = await asked.catch((error) => error);
  assert.deepEqual(deadlines, [60_000]);
  assert.ok(isPassing(error));
  assert.equal(refusalOf(error), "The server cannot be reached.");
});
