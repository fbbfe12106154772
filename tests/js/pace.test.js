import assert from "node:assert/strict";
import { test } from "node:test";

import { restAfter } from "../../conversations/static/conversations/js/pace.js";

test("a draw that is cheap comes with each frame", () => {
  assert.equal(restAfter(0), 0);
  assert.equal(restAfter(0.3), 0);
});

test("a long text is drawn more rarely than a short one, and still four times a second", () => {
  assert.equal(restAfter(0, 500), 0);
  assert.equal(restAfter(0, 4000), 100);
  assert.equal(restAfter(3, 4000), 150);
  assert.equal(restAfter(0, 1_000_000), 250);
});

test("a dear draw takes a small share of the time, and still comes four times a second", () => {
  assert.equal(restAfter(2), 100);
  assert.equal(restAfter(500), 250);
});
