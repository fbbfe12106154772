import assert from "node:assert/strict";
import { test } from "node:test";

import {
  continued,
  edited,
  regenerated,
  said as start,
  sent,
} from "../../conversations/static/conversations/js/starts.js";

const file = { id: "f", name: "tide.csv", content_type: "text/csv", size: 9, url: "/f" };
const said = { content: "How deep?", model: "small", attachments: [] };

test("a question is shown with its waiting reply under the ids that are sent", () => {
  const { added, path, body } = sent("c", { ...said, parent: "a1" });
  const [question, reply] = added;
  assert.equal(path, "/api/conversations/c/messages");
  assert.deepEqual(
    [body.id, body.reply_id, body.parent_id, body.content, body.model],
    [question.id, reply.id, "a1", "How deep?", "small"],
  );
  assert.deepEqual([question.parent_id, reply.parent_id], ["a1", question.id]);
  assert.deepEqual([question.status, reply.status], ["completed", "running"]);
  assert.equal(body.attachments, undefined);
});

test("a first question names no parent", () => {
  assert.equal("parent_id" in sent("c", { ...said, parent: null }).body, false);
});

test("another version of a question stands beside it and keeps its files", () => {
  const question = {
    id: "q",
    parent_id: "a0",
    content: "old",
    parts: [{ kind: "attachment", attachment: file }],
  };
  const { added, path, body } = edited(question, { content: "new", model: "small" });
  assert.equal(path, "/api/messages/q/edit");
  assert.equal(added[0].parent_id, "a0");
  assert.deepEqual(body.attachments, ["f"]);
  assert.equal("parent_id" in body, false);
});

test("another reply stands beside the first one", () => {
  const { added, path, body } = regenerated({ id: "r" }, "q", "large");
  assert.equal(path, "/api/messages/r/regenerate");
  assert.equal(added.length, 1);
  assert.deepEqual([added[0].parent_id, added[0].model], ["q", "large"]);
  assert.deepEqual(body, { reply_id: added[0].id, model: "large" });
});

test("a reply is continued from its cursor", () => {
  assert.deepEqual(continued({ id: "r", cursor: "2-7" }), {
    path: "/api/messages/r/continue",
    body: { after: "2-7" },
  });
});

test("what is kept of a question makes the same start again", () => {
  const first = sent("c", { ...said, parent: "a1", attachments: [file] });
  const kept = JSON.parse(JSON.stringify(first.kept));
  assert.deepEqual(start(kept), first);
  const version = edited({ id: "q", parent_id: null, parts: [] }, { content: "new", model: "m" });
  assert.deepEqual([version.kept.of, first.kept.of], ["q", null]);
});
