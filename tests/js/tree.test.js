import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Tree,
  branchTo,
  newestLeaf,
  versionsOf,
  withFollowers,
} from "../../conversations/static/conversations/js/tree.js";

const messages = [
  { id: "q1", parent_id: null },
  { id: "a1", parent_id: "q1" },
  { id: "a1b", parent_id: "q1" },
  { id: "q2", parent_id: "a1" },
  { id: "a2", parent_id: "q2" },
  { id: "q1b", parent_id: null },
];
const ids = (branch) => branch.map(({ id }) => id);

function treeOf(stored, head) {
  const tree = new Tree();
  tree.take(stored, head);
  return tree;
}

test("the branch leads from the first message to the head", () => {
  assert.deepEqual(ids(branchTo(messages, "a2")), ["q1", "a1", "q2", "a2"]);
  assert.deepEqual(ids(branchTo(messages, "a1b")), ["q1", "a1b"]);
});

test("without a head the newest message is shown", () => {
  assert.deepEqual(ids(branchTo(messages, null)), ["q1b"]);
  assert.deepEqual(ids(branchTo(messages, "deleted")), ["q1b"]);
  assert.deepEqual(branchTo([], null), []);
});

test("a circle ends", () => {
  const circle = [{ id: "a", parent_id: "b" }, { id: "b", parent_id: "a" }];
  assert.ok(branchTo(circle, "a").length <= 3);
  assert.deepEqual(withFollowers(circle, "a").sort(), ["a", "b"]);
});

test("versions are the messages that follow the same one, in order; first questions too", () => {
  const versions = versionsOf(messages);
  assert.deepEqual(versions.get("a1b"), ["a1", "a1b"]);
  assert.deepEqual(versions.get("q1"), ["q1", "q1b"]);
  assert.deepEqual(versions.get("a2"), ["a2"]);
});

test("a version is shown as far as it was last gone on", () => {
  const more = [...messages, { id: "q2b", parent_id: "a1" }, { id: "a2c", parent_id: "q2" }];
  assert.equal(newestLeaf(messages, "a1"), "a2");
  assert.equal(newestLeaf(more, "a1"), "a2c");
  assert.equal(newestLeaf(more, "q2b"), "q2b");
  assert.equal(newestLeaf(more, "nobody"), "nobody");
  const tree = treeOf(messages, "a1b");
  tree.choose("a1");
  assert.deepEqual(ids(tree.branch), ["q1", "a1", "q2", "a2"]);
});

test("what follows a message is found in every branch of it", () => {
  assert.deepEqual(withFollowers(messages, "q1").sort(), ["a1", "a1b", "a2", "q1", "q2"]);
  assert.deepEqual(withFollowers(messages, "a1b"), ["a1b"]);
});

test("what was added is shown at once and can be taken back", () => {
  const tree = treeOf(messages, "a2");
  const takeBack = tree.add({ id: "q3", parent_id: "a2" }, { id: "a3", parent_id: "q3" });
  assert.deepEqual(ids(tree.branch), ["q1", "a1", "q2", "a2", "q3", "a3"]);
  takeBack();
  assert.deepEqual(ids(tree.branch), ["q1", "a1", "q2", "a2"]);
  assert.equal(tree.messages.length, messages.length);
});

test("a branch that was chosen since is kept when something is taken back", () => {
  const tree = treeOf(messages, "a2");
  const takeBack = tree.add({ id: "a1c", parent_id: "q1" });
  tree.choose("a1b");
  takeBack();
  assert.equal(tree.head, "a1b");
});

test("what the server does not have yet outlives a reading that began before", () => {
  const tree = treeOf(messages, "a2");
  tree.add({ id: "a2b", parent_id: "q2" });
  tree.take(messages, "a2b");
  assert.deepEqual(ids(tree.branch), ["q1", "a1", "q2", "a2b"]);
  tree.take([...messages, { id: "a2b", parent_id: "q2" }], "a2b");
  tree.take(messages, "a2");
  assert.equal(tree.messages.length, messages.length, "once it was stored, a reading counts");
});

test("a reply is kept as far as it was read", () => {
  const tree = treeOf([{ id: "a", parent_id: null, parts: [], status: "running" }], "a");
  const parts = [{ kind: "text", text: "so far" }];
  tree.note({ id: "a", parts, cursor: "1-6", status: "stopped", reason: "user" });
  assert.equal(tree.messages[0].status, "stopped");
  assert.deepEqual(tree.messages[0].parts, parts);
  assert.equal(tree.messages[0].parent_id, null);
});

test("what is noted of a message stays until it is read anew", () => {
  const tree = treeOf(messages, "a2");
  tree.mark("a2", { rating: 1, comment: "clear" });
  assert.deepEqual(tree.branch.at(-1), { id: "a2", parent_id: "q2", rating: 1, comment: "clear" });
  assert.equal(tree.branch[0].rating, undefined);
});
