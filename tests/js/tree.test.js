import assert from "node:assert/strict";
import { test } from "node:test";

import { branchTo } from "../../conversations/static/conversations/js/tree.js";

const messages = [
  { id: "q1", parent_id: null },
  { id: "a1", parent_id: "q1" },
  { id: "a1b", parent_id: "q1" },
  { id: "q2", parent_id: "a1" },
  { id: "a2", parent_id: "q2" },
];
const ids = (branch) => branch.map(({ id }) => id);

test("the branch leads from the first message to the head", () => {
  assert.deepEqual(ids(branchTo(messages, "a2")), ["q1", "a1", "q2", "a2"]);
  assert.deepEqual(ids(branchTo(messages, "a1b")), ["q1", "a1b"]);
});

test("without a head the newest message is shown", () => {
  assert.deepEqual(ids(branchTo(messages, null)), ["q1", "a1", "q2", "a2"]);
  assert.deepEqual(branchTo([], null), []);
});

test("a circle ends", () => {
  const circle = [{ id: "a", parent_id: "b" }, { id: "b", parent_id: "a" }];
  assert.ok(branchTo(circle, "a").length <= 3);
});
