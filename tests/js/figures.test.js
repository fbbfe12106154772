import assert from "node:assert/strict";
import { test } from "node:test";

import {
  detailsOf,
  figuresOf,
  tokensPerSecond,
} from "../../conversations/static/conversations/js/figures.js";
import { replyFrom } from "../../conversations/static/conversations/js/reply.js";

const usage = { input_tokens: 1200, output_tokens: 50 };

test("figures are said as far as they are known", () => {
  assert.equal(figuresOf({ usage: null, durationMs: null }), "");
  assert.equal(figuresOf({ usage: { output_tokens: 12 }, durationMs: 3210 }), "12 tokens · 3.2 s");
  assert.equal(figuresOf({ usage: { output_tokens: 1 }, durationMs: null }), "1 token");
});

test("speed counts from the first text on", () => {
  assert.equal(tokensPerSecond({ usage, durationMs: 3000, firstTokenMs: 500 }), 20);
  assert.equal(tokensPerSecond({ usage, durationMs: 300, firstTokenMs: 500 }), null);
  assert.equal(tokensPerSecond({ usage, durationMs: 3000, firstTokenMs: null }), null);
  assert.equal(tokensPerSecond({ usage: null, durationMs: 3000, firstTokenMs: 5 }), null);
});

test("details name everything that is known", () => {
  const reply = replyFrom({
    id: "r",
    parts: [],
    status: "interrupted",
    reason: "worker_lost",
    model: "small",
    provider: "here",
    usage,
    first_token_ms: 500,
    duration_ms: 3000,
    created_at: "2026-11-21T10:20:30+00:00",
  });
  const details = new Map(detailsOf(reply, (model) => `The ${model} one`));
  assert.equal(details.get("Model"), "The small one");
  assert.equal(details.get("Provider"), "here");
  assert.match(details.get("Asked at"), /2026/);
  assert.equal(details.get("First text after"), "0.50 s");
  assert.equal(details.get("Duration"), "3.0 s");
  assert.equal(details.get("Tokens read"), "1,200");
  assert.equal(details.get("Tokens written"), "50");
  assert.equal(details.get("Speed"), "20.0 tokens per second");
  assert.match(details.get("Ending"), /went down/);
  assert.equal(details.get("Reason"), "worker_lost");
});

test("details leave out what is not known", () => {
  const reply = replyFrom({ id: "r", parts: [], status: "completed", reason: "stop" });
  const names = detailsOf(reply, () => "").map(([name]) => name);
  assert.deepEqual(names, ["Ending"]);
});
