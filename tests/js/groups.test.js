import assert from "node:assert/strict";
import { test } from "node:test";

import { grouped, newestFirst } from "../../conversations/static/conversations/js/groups.js";

const NOW = new Date(2026, 10, 21, 9, 30);

function conversation(id, date, more = {}) {
  return { id, title: id, updated_at: date.toISOString(), ...more };
}

function keysOf(conversations, now = NOW) {
  return grouped(conversations, now, "en").map(({ key, conversations: ones }) => [
    key,
    ones.map(({ id }) => id).join(""),
  ]);
}

test("days are counted by the calendar, not by hours", () => {
  const ones = [
    conversation("a", new Date(2026, 10, 21, 0, 0)),
    conversation("b", new Date(2026, 10, 20, 23, 59)),
    conversation("c", new Date(2026, 10, 20, 0, 0)),
    conversation("d", new Date(2026, 10, 19, 23, 59)),
    conversation("e", new Date(2026, 10, 14, 0, 0)),
    conversation("f", new Date(2026, 10, 13, 23, 59)),
    conversation("g", new Date(2026, 9, 22, 0, 0)),
    conversation("h", new Date(2026, 9, 21, 23, 59)),
  ];
  assert.deepEqual(keysOf(ones), [
    ["today", "a"],
    ["yesterday", "bc"],
    ["week", "de"],
    ["month", "fg"],
    ["2026-10", "h"],
  ]);
});

test("months have their names in the language of the page, with the year where it is another", () => {
  const ones = [
    conversation("a", new Date(2026, 2, 1)),
    conversation("b", new Date(2025, 2, 1)),
  ];
  const labels = (language) => grouped(ones, NOW, language).map(({ label }) => label);
  assert.deepEqual(labels("en"), ["March", "March 2025"]);
  assert.deepEqual(labels("zh-hans"), ["三月", "2025年3月"]);
});

test("what is pinned stands first, whatever its date, and only there", () => {
  const ones = [
    conversation("a", new Date(2026, 10, 21)),
    conversation("b", new Date(2024, 1, 1), { pinned: true }),
  ];
  assert.deepEqual(keysOf(ones), [["pinned", "b"], ["today", "a"]]);
});

test("what the server does not know yet, or dates into the future, is of today", () => {
  const ones = [{ id: "a", title: "" }, conversation("b", new Date(2026, 10, 22))];
  assert.deepEqual(keysOf(ones), [["today", "ab"]]);
});

test("there are no empty groups", () => {
  assert.deepEqual(grouped([], NOW, "en"), []);
});

test("the day that is an hour short begins at its midnight all the same", () => {
  const now = new Date(2026, 2, 30, 12);
  assert.deepEqual(keysOf([conversation("a", new Date(2026, 2, 29, 0, 5))], now), [["yesterday", "a"]]);
});

test("newest first; of one moment, by id; what the server does not know before all", () => {
  const at = new Date(2026, 1, 1);
  const ones = [
    conversation("a", at),
    conversation("c", at),
    conversation("b", new Date(2026, 1, 2)),
    { id: "z", title: "" },
  ];
  assert.equal(ones.sort(newestFirst).map(({ id }) => id).join(""), "zbca");
});
