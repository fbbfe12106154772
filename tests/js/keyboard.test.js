import assert from "node:assert/strict";
import { test } from "node:test";

import { heightAbove } from "../../conversations/static/conversations/js/keyboard.js";

test("the page ends where a keyboard begins, and nowhere else", () => {
  assert.equal(heightAbove({ height: 400.4, scale: 1 }, 800), "400px");
  assert.equal(heightAbove({ height: 800, scale: 1 }, 800), "");
  assert.equal(heightAbove({ height: 400, scale: 2 }, 800), "", "pinched");
  assert.equal(heightAbove(undefined, 800), "");
});
