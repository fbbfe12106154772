import assert from "node:assert/strict";
import { test } from "node:test";

import { Seat } from "../../conversations/static/conversations/js/seat.js";
import { choose, transportChoice } from "../../conversations/static/conversations/js/transport.js";

const facts = { choice: "auto", hasSeat: true, streams: 0, socket: "open" };

test("a tab with a seat streams one reply, and takes the socket for the others", () => {
  assert.equal(choose(facts), "sse");
  assert.equal(choose({ ...facts, streams: 1 }), "socket");
  assert.equal(choose({ ...facts, hasSeat: false }), "socket");
  assert.equal(choose({ ...facts, hasSeat: false, socket: "connecting" }), "socket");
});

test("where sockets are blocked, what has no seat polls", () => {
  assert.equal(choose({ ...facts, socket: "blocked" }), "sse");
  assert.equal(choose({ ...facts, socket: "blocked", streams: 1 }), "poll");
  assert.equal(choose({ ...facts, socket: "blocked", hasSeat: false }), "poll");
});

test("a person's choice holds whatever there is", () => {
  for (const choice of ["sse", "socket", "poll"]) {
    assert.equal(choose({ choice, hasSeat: false, streams: 3, socket: "blocked" }), choice);
  }
});

test("the choice is kept where there is storage; elsewhere it is automatic", () => {
  assert.equal(transportChoice.get(), "auto");
  transportChoice.set("socket");
  assert.equal(transportChoice.get(), "auto");
  const kept = new Map();
  globalThis.localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
  };
  transportChoice.set("poll");
  assert.equal(transportChoice.get(), "poll");
  transportChoice.set("pigeon");
  assert.equal(transportChoice.get(), "auto");
  delete globalThis.localStorage;
});

/** The locks of one browser. */
class FakeLocks {
  held = new Set();

  async request(name, { ifAvailable }, task) {
    assert.ok(ifAvailable, "nobody waits for a seat");
    if (this.held.has(name)) return task(null);
    this.held.add(name);
    await task({ name });
    this.held.delete(name);
  }
}

test("four tabs have a seat; a fifth gets one when another leaves", async () => {
  const locks = new FakeLocks();
  const seats = Array.from({ length: 5 }, () => new Seat(locks));
  const taken = [];
  for (const seat of seats) taken.push(await seat.take());
  assert.deepEqual(taken, [true, true, true, true, false]);
  await seats[0].take();
  assert.equal(locks.held.size, 4, "a tab has one seat");
  seats[1].leave();
  assert.equal(await seats[4].take(), true);
});

test("a tab that asks twice at a time takes one seat", async () => {
  const locks = new FakeLocks();
  const seat = new Seat(locks);
  await Promise.all([seat.take(), seat.take()]);
  assert.equal(locks.held.size, 1);
});

test("without locks there are no seats", async () => {
  assert.equal(await new Seat(undefined).take(), false);
});
