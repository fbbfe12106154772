import assert from "node:assert/strict";
import { test } from "node:test";

import { nameOf } from "../../conversations/static/conversations/js/exporting.js";

test("a file keeps the name that the server gives it, whatever its characters", () => {
  assert.equal(nameOf('attachment; filename="Knots.md"'), "Knots.md");
  const both = "attachment; filename=\"download.md\"; filename*=UTF-8''%E7%BB%93.md";
  assert.equal(nameOf(both), "结.md");
  assert.equal(nameOf(""), "");
});
