import assert from "node:assert/strict";
import { test } from "node:test";

import { backoffMs, retryAfterMs } from "../../conversations/static/conversations/js/backoff.js";

test("the wait doubles up to its maximum", () => {
  const random = () => 1;
  const waits = [0, 1, 2, 3, 100].map((n) => backoffMs(n, { baseMs: 100, maxMs: 500, random }));
  assert.deepEqual(waits, [100, 200, 400, 500, 500]);
});

test("jitter spreads waits over the upper half of the step", () => {
  assert.equal(backoffMs(0, { baseMs: 100, random: () => 0 }), 50);
  assert.equal(backoffMs(0, { baseMs: 100, random: () => 0.5 }), 75);
});

test("Retry-After is read in both of its forms", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(retryAfterMs("3"), 3000);
  assert.equal(retryAfterMs("Thu, 01 Jan 2026 00:00:05 GMT", now), 5000);
  assert.equal(retryAfterMs("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  assert.equal(retryAfterMs(null), null);
  assert.equal(retryAfterMs("soon"), null);
});
