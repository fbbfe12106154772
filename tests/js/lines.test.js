import assert from "node:assert/strict";
import { test } from "node:test";

import { lines } from "../../conversations/static/conversations/js/lines.js";

const TEXT = '{"a":"ü"}\n\n{"b":2}\n';

async function* cut(text, size) {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function all(iterable) {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
}

test("lines are read however the bytes are cut", async () => {
  for (const size of [1, 2, 3, 100]) {
    assert.deepEqual(await all(lines(cut(TEXT, size))), [{ a: "ü" }, { b: 2 }]);
  }
});

test("a line that was cut off is none", async () => {
  assert.deepEqual(await all(lines(cut(`${TEXT}{"c":`, 4))), [{ a: "ü" }, { b: 2 }]);
});
