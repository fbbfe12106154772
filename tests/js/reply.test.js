import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import {
  adopt,
  apply,
  isWhole,
  pendingReply,
  reasoningOf,
  reopened,
  replyFrom,
  textOf,
} from "../../conversations/static/conversations/js/reply.js";

const digest = async (text) => createHash("sha256").update(text).digest("hex");
const started = (cursor = "0-0") => ({ type: "started", cursor, model: "demo" });
const delta = (part, at, text, more = {}) => ({
  type: "delta",
  part,
  kind: "text",
  at,
  text,
  ...more,
});
const message = (text, cursor, more = {}) => ({
  id: "r",
  parts: text ? [{ kind: "text", text }] : [],
  cursor,
  status: "running",
  ...more,
});

function applied(reply, ...events) {
  let gap = false;
  for (const event of events) {
    ({ reply, gap } = apply(reply, event));
    if (gap) break;
  }
  return { reply, gap };
}

test("deltas become parts and text, in order", () => {
  const { reply, gap } = applied(
    pendingReply("r"),
    started(),
    delta(1, "0-0", "hm", { kind: "reasoning", cursor: "1-2" }),
    delta(1, "1-2", "…", { kind: "reasoning", cursor: "1-3" }),
    delta(2, "1-3", "𝕠k", { cursor: "2-2" }),
    delta(2, "2-2", "!", { cursor: "2-3" }),
  );
  assert.equal(gap, false);
  assert.equal(textOf(reply), "𝕠k!");
  assert.equal(reasoningOf(reply), "hm…");
  assert.equal(reply.cursor, "2-3");
  assert.equal(reply.phase, "streaming");
  assert.equal(reply.model, "demo");
});

test("a delta that does not begin where we are is a gap and changes nothing", () => {
  const { reply } = applied(pendingReply("r"), started(), delta(1, "0-0", "abc"));
  for (const at of ["1-2", "1-4", "0-0"]) {
    const after = apply(reply, delta(1, at, "x"));
    assert.equal(after.gap, true);
    assert.equal(after.reply, reply);
  }
});

test("a delta whose id is not where its text ends is a gap", () => {
  assert.equal(apply(pendingReply("r"), delta(1, "0-0", "abc", { cursor: "1-4" })).gap, true);
});

test("a part that leaves one out is a gap", () => {
  assert.equal(apply(pendingReply("r"), delta(2, "0-0", "abc")).gap, true);
});

test("a subscription that starts elsewhere is a gap", () => {
  assert.equal(apply(replyFrom(message("abc", "1-3")), started("0-0")).gap, true);
  assert.equal(apply(replyFrom(message("abc", "1-3")), started("1-3")).gap, false);
});

test("pings tell the phase", () => {
  const { reply } = applied(pendingReply("r"), { type: "ping", state: "recovering" });
  assert.equal(reply.phase, "recovering");
});

test("an end at our cursor settles, an end elsewhere is a gap", () => {
  const reply = replyFrom(message("abc", "1-3"));
  const end = { type: "ended", status: "stopped", reason: "user", retryable: false, usage: null };
  const settled = apply(reply, { ...end, cursor: "1-3" });
  assert.equal(settled.reply.status, "stopped");
  assert.equal(settled.reply.reason, "user");
  assert.equal(apply(reply, { ...end, cursor: "1-4" }).gap, true);
});

test("unknown events change nothing", () => {
  const reply = pendingReply("r");
  assert.deepEqual(apply(reply, { type: "weather" }), { reply, gap: false });
});

test("a message with another length or digest than ended says is not whole", async () => {
  const reply = replyFrom(message("𝕠k", "1-2"));
  const end = { text_length: 2, text_sha256: await digest("𝕠k") };
  assert.equal(await isWhole(reply, end, digest), true);
  assert.equal(await isWhole(reply, { ...end, text_length: 3 }, digest), false);
  assert.equal(await isWhole(reply, { ...end, text_sha256: await digest("ok") }, digest), false);
});

test("without a digest the length decides", async () => {
  const end = { text_length: 3, text_sha256: "unknown" };
  assert.equal(await isWhole(replyFrom(message("abc", "1-3")), end, async () => null), true);
});

test("what is stored is taken unless it is older than what is shown", () => {
  const reply = replyFrom(message("abc", "1-3"));
  assert.equal(textOf(adopt(reply, message("abcd", "1-4"))), "abcd");
  assert.equal(textOf(adopt(reply, message("ab", "1-2"))), "abc");
  assert.equal(adopt(reply, message("abc", "1-3", { status: "completed" })).status, "completed");
});

test("a settled message that was read before the reply was re-opened takes no text away", () => {
  const { reply } = applied(
    reopened(replyFrom(message("abc", "1-3", { status: "interrupted" }))),
    started("1-3"),
    delta(1, "1-3", "def"),
  );
  const stale = adopt(reply, message("abc", "1-3", { status: "interrupted" }));
  assert.equal(textOf(stale), "abcdef");
  assert.equal(stale.status, "running");
});
