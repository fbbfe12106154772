import assert from "node:assert/strict";
import { test } from "node:test";

import { latestWins } from "../../conversations/static/conversations/js/latest.js";

function recorder() {
  const saved = [];
  const waiting = [];
  const save = (choice) => {
    saved.push(choice);
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  return { saved, waiting, save };
}
const turn = () => new Promise(setImmediate);

test("one request at a time, and the last choice is the last one kept", async () => {
  const { saved, waiting, save } = recorder();
  const keeper = latestWins(save);
  const all = ["a", "b", "c"].map((choice) => keeper.keep(choice));
  assert.deepEqual(saved, ["a"]);
  assert.equal(keeper.wanted, "c");
  waiting[0].resolve();
  await turn();
  assert.deepEqual(saved, ["a", "c"]);
  waiting[1].resolve();
  await Promise.all(all);
  assert.equal(keeper.wanted, undefined);
});

test("a failure is told, and the next choice is tried", async () => {
  const { saved, waiting, save } = recorder();
  const keeper = latestWins(save);
  const first = keeper.keep("a");
  waiting[0].reject(new Error("away"));
  await assert.rejects(first, /away/);
  assert.equal(keeper.wanted, undefined);
  const second = keeper.keep("b");
  waiting[1].resolve();
  await second;
  assert.deepEqual(saved, ["a", "b"]);
});
