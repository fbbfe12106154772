import assert from "node:assert/strict";
import { test } from "node:test";

import { pieces } from "../../conversations/static/conversations/js/marks.js";

const hits = (text, search) => pieces(text, search).filter(({ hit }) => hit).map((one) => one.text);

test("joined, the pieces are the text", () => {
  for (const search of ["a", "an a", "(", "x|y", "", "  ", "nothing"]) {
    const text = "An apple (and x|y) in a pan";
    assert.equal(pieces(text, search).map((one) => one.text).join(""), text, search);
  }
});

test("case does not matter, in any script that has one", () => {
  assert.deepEqual(hits("Ärger und ÄRGER", "ärger"), ["Ärger", "ÄRGER"]);
  assert.deepEqual(hits("Привет, привет", "ПРИВЕТ"), ["Привет", "привет"]);
  assert.deepEqual(hits("东京的天气", "天气"), ["天气"]);
});

test("every word of a search is marked, the longest first", () => {
  assert.deepEqual(hits("rope and ropes", "rope ropes"), ["rope", "ropes"]);
});

test("what means something to a pattern is taken as it is written", () => {
  assert.deepEqual(hits("a.b axb (c) [d] \\e a/b -", "a.b"), ["a.b"]);
  assert.deepEqual(hits("a.b axb (c) [d] \\e a/b -", "(c) [d] \\e a/b -"), ["(c)", "[d]", "\\e", "a/b", "-"]);
});
