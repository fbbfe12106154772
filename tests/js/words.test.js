import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  REMEDIES,
  endingOf,
  lossOf,
  outcomeOf,
  progressOf,
  refusalOf,
  remedyOf,
} from "../../conversations/static/conversations/js/words.js";

const protocol = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");

/** Every end that the protocol names, out of its table. */
function ends() {
  const table = protocol.split("### How a reply ends")[1].split("\n\n")[1];
  const found = [];
  let status = "";
  for (const line of table.split("\n").slice(2)) {
    const [, first, second] = line.split("|").map((cell) => cell.trim().replaceAll("`", ""));
    status = first || status;
    found.push({ status, reason: second });
  }
  return found;
}

// What can be done once there is text, and before; of a failure that may pass.
const OFFERED = {
  "completed/stop": ["", "retry"],
  "completed/length": ["continue", "retry"],
  "completed/content_filter": ["retry", "retry"],
  "completed/tool_calls": ["retry", "retry"],
  "stopped/deleted": ["", ""],
  "failed/upstream_refused": ["retry", "retry"],
};

test("every end of the protocol has words of its own and offers what fits", () => {
  assert.ok(ends().length >= 20, "the table was not found");
  const said = new Set();
  for (const end of ends()) {
    const name = `${end.status}/${end.reason}`;
    const words = endingOf(end);
    const unknown = endingOf({ ...end, reason: "unheard_of" });
    if (name !== "completed/stop") {
      assert.ok(words, name);
      assert.ok(words !== unknown || end.status === "stopped", name);
      assert.ok(!said.has(words), `${name} says what another one says`);
    } else assert.equal(words, "");
    said.add(words);
    const offered = [true, false].map((text) => remedyOf({ ...end, retryable: true }, text));
    assert.deepEqual(offered, OFFERED[name] ?? ["continue", "retry"], name);
    for (const remedy of offered) assert.ok(remedy === "" || REMEDIES[remedy], name);
  }
});

test("an unknown reason is shown as its status, and so is an unknown status", () => {
  assert.equal(endingOf({ status: "interrupted", reason: "unheard_of" }), "Interrupted.");
  assert.equal(remedyOf({ status: "interrupted", reason: "unheard_of" }, true), "continue");
  assert.equal(endingOf({ status: "adrift", reason: "" }), "adrift");
  assert.equal(remedyOf({ status: "adrift", reason: "" }, true), "");
});

test("a failure that would come again is asked anew, not continued", () => {
  const failed = { status: "failed", reason: "upstream_error" };
  assert.equal(remedyOf({ ...failed, retryable: true }, true), "continue");
  assert.equal(remedyOf({ ...failed, retryable: false }, true), "retry");
});

test("every outcome has a name", () => {
  assert.equal(outcomeOf({ status: "completed", reason: "stop" }), "Completed");
  assert.equal(outcomeOf({ status: "running", reason: "" }), "In progress");
  assert.equal(outcomeOf({ status: "stopped", reason: "user" }), "Stopped.");
});

test("a reply that cannot be followed says so, and whether the server has it", () => {
  assert.equal(lossOf({ state: "open", accepted: true }), "");
  assert.equal(lossOf({ state: "connecting", accepted: false }), "");
  assert.match(lossOf({ state: "reconnecting", accepted: true }), /goes on/);
  assert.match(lossOf({ state: "offline", accepted: false }), /not reached/);
  assert.match(lossOf({ state: "lost", accepted: true }), /lost/);
  assert.ok(REMEDIES.reconnect);
});

test("the state of the connection comes before the state of the reply", () => {
  const reply = { status: "running", phase: "waiting" };
  assert.match(progressOf({ state: "open", accepted: true }, reply), /Waiting for the model/);
  assert.match(progressOf({ state: "reconnecting", accepted: true }, reply), /Reconnecting/);
  assert.match(progressOf({ state: "reconnecting", accepted: false }, reply), /Not sent yet/);
  assert.match(progressOf({ state: "open", accepted: true }, { ...reply, phase: "recovering" }), /Recovering/);
  assert.equal(progressOf({ state: "open", accepted: true }, { ...reply, phase: "streaming" }), "");
});

test("an answer that is not ours is said in the page's words, not in the client's", () => {
  const error = { status: 502, error: { code: "unknown" }, message: "raw" };
  assert.equal(refusalOf(error), "The server answered 502.");
  assert.equal(refusalOf({ status: 429, error: { code: "too_many_runs" }, message: "Wait." }), "Wait.");
});
