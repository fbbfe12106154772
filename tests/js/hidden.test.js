import assert from "node:assert/strict";
import { test } from "node:test";

import { isHidden, withHidden } from "../../conversations/static/conversations/js/hidden.js";

const one = { id: 1, text: "Down at noon" };
const two = { id: 2, text: "Back again" };

test("a hidden announcement stays hidden, the others do not", () => {
  const hidden = withHidden({}, one, [one, two]);
  assert.equal(isHidden(hidden, one), true);
  assert.equal(isHidden(hidden, two), false);
});

test("a changed announcement comes back", () => {
  const hidden = withHidden({}, one, [one]);
  assert.equal(isHidden(hidden, { ...one, text: "Down at one" }), false);
});

test("what is over is forgotten", () => {
  const hidden = withHidden(withHidden({}, one, [one, two]), two, [two]);
  assert.deepEqual(hidden, { 2: two.text });
});
