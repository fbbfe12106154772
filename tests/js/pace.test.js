import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace, restAfter } from "../../conversations/static/conversations/js/pace.js";

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
  assert.equal(restAfter(100), 250);
});

test("a draw that is far too dear leaves two thirds of the time to the page", () => {
  assert.equal(restAfter(500), 1000);
  assert.equal(restAfter(3000, 20_000), 6000);
});

test("the first draw comes with the next frame, one after a rest waits for none", (t) => {
  const [frames, waits] = [[], []];
  globalThis.document = { hidden: false };
  globalThis.requestAnimationFrame = (task) => frames.push(task);
  t.mock.method(globalThis, "setTimeout", (task, ms) => waits.push({ task, ms }));
  let drawn = 0;
  const pace = new Pace(() => drawn++);
  pace.ask({ length: 100_000 });
  assert.deepEqual([frames.length, waits.length], [1, 0]);
  frames[0]();
  pace.ask({ length: 100_000 });
  assert.deepEqual([frames.length, waits.length, drawn], [1, 1, 1]);
  assert.ok(waits[0].ms > 200);
  waits[0].task();
  assert.equal(drawn, 2);
  delete globalThis.document;
  delete globalThis.requestAnimationFrame;
});
