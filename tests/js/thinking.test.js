import assert from "node:assert/strict";
import { test } from "node:test";

import { ThinkingClock } from "../../conversations/static/conversations/js/thinking.js";

function clockAt() {
  const time = { now: 0 };
  return [new ThinkingClock(() => time.now), time];
}

test("the time from the first thought to the first word is told", () => {
  const [clock, time] = clockAt();
  clock.see({ running: true, spoken: false });
  assert.equal(clock.title, "Thinking…");
  time.now = 4200;
  clock.see({ running: true, spoken: true });
  time.now = 9000;
  clock.see({ running: false, spoken: true });
  assert.equal(clock.title, "Thought for 4 seconds");
});

test("a minute is a minute, and a moment is a second", () => {
  for (const [ms, title] of [[100, "Thought for 1 second"], [75_000, "Thought for 1 min 15 s"]]) {
    const [clock, time] = clockAt();
    clock.see({ running: true, spoken: false });
    time.now = ms;
    clock.see({ running: false, spoken: false });
    assert.equal(clock.title, title);
  }
});

test("of thoughts that were not seen no time is told", () => {
  const [clock] = clockAt();
  clock.see({ running: false, spoken: true });
  assert.equal(clock.title, "Reasoning");
});
