import assert from "node:assert/strict";
import { test } from "node:test";

import { again } from "../../conversations/static/conversations/js/again.js";
import { Refused } from "../../conversations/static/conversations/js/events.js";

const waits = () => {
  const list = [];
  return { list, wait: async (ms) => list.push(ms), random: () => 1 };
};

function failing(...errors) {
  return async () => {
    const error = errors.shift();
    if (error) throw error;
    return "done";
  };
}

test("a request is repeated while nobody answers", async () => {
  const options = waits();
  const task = failing(new TypeError("Failed to fetch"), new Refused(503, { message: "" }, 3000));
  assert.equal(await again(task, options), "done");
  assert.deepEqual(options.list, [500, 3000]);
});

test("an answer that will not change is not asked for again", async () => {
  for (const status of [400, 401, 404, 409, 422, 500]) {
    await assert.rejects(again(failing(new Refused(status, { message: "" })), waits()));
  }
});

test("attempts are bounded", async () => {
  const options = { ...waits(), attempts: 3 };
  const errors = Array.from({ length: 9 }, () => new TypeError("Failed to fetch"));
  await assert.rejects(again(failing(...errors), options), TypeError);
  assert.equal(options.list.length, 2);
});
