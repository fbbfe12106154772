import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, soughtIn } from "../../conversations/static/conversations/js/slash.js";

const named = (...names) => names.map((name) => ({ name, content: name }));

test("only a field that begins with a slash asks for a prompt", () => {
  assert.equal(soughtIn("/"), "");
  assert.equal(soughtIn("/sum"), "sum");
  for (const text of ["", "a/b", " /sum", "/one\ntwo", `/${"x".repeat(80)}`]) {
    assert.equal(soughtIn(text), null, text);
  }
});

test("names that begin so come before names that hold it; others do not come", () => {
  const prompts = named("a summary", "Summary", "translate", "sum up");
  assert.deepEqual(
    fitting(prompts, "SUM").map(({ name }) => name),
    ["Summary", "sum up", "a summary"],
  );
  assert.equal(fitting(prompts, "").length, 4);
  assert.equal(fitting(prompts, "nothing").length, 0);
});
