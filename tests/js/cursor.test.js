import assert from "node:assert/strict";
import { test } from "node:test";

import {
  START,
  advance,
  codePoints,
  compareCursors,
  endOf,
  parseCursor,
} from "../../conversations/static/conversations/js/cursor.js";

test("offsets count code points, not UTF-16 units", () => {
  assert.equal(codePoints("a𝕠渡⚓"), 4);
  assert.equal(codePoints("👩‍👩‍👧"), 5);
  assert.equal(codePoints(""), 0);
  for (const text of ["plain", "𝕠𝕔𝕖𝕒𝕟", "mixed 👍 text 𝕠", "\ud800lone", "lone\udc00", "\ud800\ud800\udc00"]) {
    assert.equal(codePoints(text), [...text].length);
  }
});

test("a cursor advances within its part and starts anew in the next", () => {
  assert.equal(advance(START, 1, "𝕠k"), "1-2");
  assert.equal(advance("1-2", 1, "abc"), "1-5");
  assert.equal(advance("1-5", 2, "abc"), "2-3");
});

test("cursors are ordered by part, then by offset", () => {
  assert.ok(compareCursors("1-99", "2-0") < 0);
  assert.ok(compareCursors("2-10", "2-9") > 0);
  assert.equal(compareCursors("2-10", "2-10"), 0);
});

test("the end of a message is the end of its last part", () => {
  assert.equal(endOf([]), START);
  assert.equal(endOf([{ text: "thought" }, { text: "𝕠" }]), "2-1");
});

test("what is not a cursor is refused", () => {
  for (const text of ["", "1", "1-", "-1", "1-1.end", "1-1 ", "a-b", "1--1"]) {
    assert.throws(() => parseCursor(text), RangeError);
  }
});
