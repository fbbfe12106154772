import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, pathOf, topOf } from "../../conversations/static/conversations/console/js/plotting.js";
import { verdictOf } from "../../conversations/static/conversations/console/js/verdict.js";

const sent = Array.from({ length: 12 }, (_, number) => number * 250);
const arriving = (times) => sent.map((at, number) => ({ at, arrived: times(at, number) }));
const expected = 12;

test("a stream that arrives as it was sent is fine, whatever the two clocks say", () => {
  const probes = arriving((at, number) => 90_000 + at + (number % 3) * 40);
  assert.deepEqual(verdictOf(probes, { expected }), { verdict: "fine", lateMs: 80 });
  assert.equal(verdictOf(probes, { expected, encoding: "gzip" }).verdict, "compressed");
});

test("a stream that arrives all at once was held back", () => {
  const { verdict, lateMs } = verdictOf(arriving(() => 3000), { expected });
  assert.deepEqual([verdict, lateMs], ["buffered", 2750]);
});

test("a stream that arrives in heaps was gathered", () => {
  const heaps = arriving((at) => Math.ceil((at + 1) / 1000) * 1000);
  assert.equal(verdictOf(heaps, { expected }).verdict, "bursts");
});

test("a stream of which events are missing is broken", () => {
  assert.equal(verdictOf(arriving((at) => at).slice(0, 5), { expected }).verdict, "broken");
  assert.equal(verdictOf([], { expected }).verdict, "broken");
});

test("a line ends where nothing was sampled, and begins anew", () => {
  const box = { width: 100, height: 10, span: 100, most: 10 };
  const samples = [0, 2, 4, 60, 62].map((at) => ({ at, cpu: 5 }));
  assert.equal(pathOf(samples, "cpu", box).match(/M/g).length, 2);
  assert.match(pathOf([{ at: 1, cpu: 20 }], "cpu", box), /^M100\.0 0\.0$/);
  assert.equal(pathOf(samples, "none", box), "");
});

test("a plot is as high as a round number above its values", () => {
  assert.equal(topOf([{ a: 3 }, { a: 17, b: 1 }], ["a", "b"]), 20);
  assert.equal(topOf([], ["a"]), 1);
  assert.equal(topOf([{ a: 100 }], ["a"]), 100);
});

test("bytes are said in few characters", () => {
  assert.deepEqual([512, 1500, 25_000_000].map(bytes), ["512 B", "1.5 KB", "25 MB"]);
});
