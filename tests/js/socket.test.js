import assert from "node:assert/strict";
import { test } from "node:test";

import { Socket } from "../../conversations/static/conversations/js/socket.js";
import { FakeClock, FakeServer, FakeSockets, delta, ended, settled, started, stream } from "./fakes.js";

function opened({ far = new FakeSockets(), mood, ...options } = {}) {
  const clock = new FakeClock();
  const seen = { states: [], revisions: [], events: [] };
  if (mood) far.mood = mood;
  const socket = new Socket({
    url: "ws://here/ws/chat/",
    connect: far.connect,
    clock,
    random: () => 1,
    onState: (state) => seen.states.push(state),
    onRevision: (revision) => seen.revisions.push(revision),
    onSync: (event) => seen.events.push(event),
    ...options,
  });
  socket.open();
  return { socket, far, clock, seen };
}

const opening = (id, after = "0-0") => {
  const controller = new AbortController();
  return { id, after, signal: controller.signal, onSign() {}, controller };
};

async function textOf(events) {
  let text = "";
  for await (const event of events) if (event.type === "delta") text += event.text;
  return text;
}

test("a socket is open once the other side has answered, and tells the revision", async () => {
  const { seen, far, socket } = opened();
  await settled();
  assert.deepEqual(seen.states, ["connecting", "open"]);
  assert.deepEqual(seen.revisions, [1]);
  far.last.tell({ type: "run.started", revision: 2, conversation_id: "c" });
  assert.equal(seen.events[0].type, "run.started");
  socket.open();
  assert.equal(far.made.length, 1);
});

test("a closed socket comes back with growing waits, and at once when it is woken", async () => {
  const { far, clock, socket } = opened();
  await settled();
  far.mood = "refuse";
  far.last.fail(1012);
  for (const [count, wait] of [[2, 500], [3, 1000], [4, 2000]]) {
    await clock.advance(wait - 1);
    assert.equal(far.made.length, count - 1, "not before its time");
    await clock.advance(1);
    assert.equal(far.made.length, count);
  }
  far.mood = "open";
  socket.wake();
  await settled();
  assert.equal(socket.state, "open");
  far.last.fail(4012);
  await clock.advance(500);
  assert.equal(socket.state, "open", "the waits begin anew");
});

test("replies share a socket, and each gets its own events", async () => {
  const server = new FakeServer(
    stream("close", started(), delta("0-0", "ab", "1-2"), ended("ab", "1-2")),
    stream("close", started(), delta("0-0", "xyz", "1-3"), ended("xyz", "1-3")),
  );
  const { socket, far } = opened({ far: new FakeSockets(server) });
  const both = await Promise.all(["r", "s"].map((id) => socket.follow(opening(id))));
  assert.deepEqual(await Promise.all(both.map(textOf)), ["ab", "xyz"]);
  assert.equal(far.made.length, 1);
  assert.deepEqual(far.said.map(({ type }) => type), ["ping", "follow", "follow"]);
});

test("whoever leaves a reply says so, and hears nothing of it any more", async () => {
  const server = new FakeServer(stream("hang", started(), delta("0-0", "ab", "1-2")));
  const { socket, far } = opened({ far: new FakeSockets(server) });
  const one = opening("r");
  const events = await socket.follow(one);
  assert.equal((await events.next()).value.type, "started");
  one.controller.abort();
  await settled();
  assert.deepEqual(far.said.at(-1), { type: "unfollow", run_id: "r" });
  await assert.rejects(async () => {
    for (;;) if ((await events.next()).done) return;
  }, { name: "AbortError" });
});

test("what still comes for an earlier reader is not taken for one's own", async () => {
  const { socket, far } = opened();
  await settled();
  const events = await socket.follow(opening("r", "1-2"));
  far.last.tell({ type: "delta", run_id: "r", at: "0-0", text: "old", part: 1, cursor: "1-3" });
  far.last.tell({ type: "started", run_id: "r", cursor: "1-2" });
  assert.equal((await events.next()).value.type, "started");
});

test("a socket that falls silent is asked, and given up where it does not answer", async () => {
  const { far, clock, socket } = opened();
  await settled();
  await clock.advance(25_000);
  assert.equal(far.said.filter(({ type }) => type === "ping").length, 2);
  assert.equal(socket.state, "open");
  far.hear = () => {};
  await clock.until(() => socket.state === "connecting", 32_000);
});

test("after a sleep a silent socket is asked at once", async () => {
  const { far, clock, socket } = opened();
  await settled();
  far.hear = () => {};
  socket.wake();
  await clock.advance(6000);
  assert.notEqual(socket.state, "open");
});

test("a socket at which nobody looks is left to idle, and comes back when somebody does", async () => {
  let isWatched = false;
  const { far, clock, socket } = opened({ isWatched: () => isWatched });
  await settled();
  const before = far.said.length;
  await clock.advance(25_000);
  await clock.advance(25_000);
  assert.equal(far.said.length, before);
  far.last.fail(4408);
  await clock.advance(60_000);
  assert.equal(far.made.length, 1);
  isWatched = true;
  socket.wake();
  await settled();
  assert.equal(socket.state, "open");
});

test("nobody is asked again who was told to sign in, unless the page is woken", async () => {
  const { far, clock, socket } = opened({ far: new FakeSockets() });
  far.hear = () => {};
  far.mood = 4401;
  const waiting = socket.follow(opening("r"));
  await assert.rejects(waiting, { status: 401 });
  assert.equal(socket.state, "refused");
  await clock.advance(60_000);
  assert.equal(far.made.length, 1);
  await assert.rejects(socket.follow(opening("r")), { status: 401 });
  socket.wake();
  await settled();
  assert.equal(far.made.length, 2);
});

test("whoever is signed in under another key is let in again, and what they follow waits for it", async () => {
  const server = new FakeServer(stream("close", started(), ended("", "0-0")));
  const { far, clock, socket, seen } = opened({
    far: new FakeSockets(server),
    isKnown: async () => true,
  });
  await settled();
  far.last.fail(4401);
  await settled();
  const following = socket.follow(opening("r"));
  await clock.advance(500);
  assert.equal((await (await following).next()).value.type, "started");
  assert.deepEqual(seen.states, ["connecting", "open", "connecting", "open"]);
});

test("where nobody says who is signed in, it is tried again", async () => {
  const isKnown = async () => {
    throw new TypeError("Failed to fetch");
  };
  const { far, clock, socket } = opened({ isKnown });
  await settled();
  far.last.fail(4401);
  await clock.advance(500);
  assert.equal(socket.state, "open");
});

test("sockets that do not open while requests are answered are blocked", async () => {
  const { far, clock, socket, seen } = opened({ mood: "refuse", probe: async () => {} });
  const waiting = assert.rejects(socket.follow(opening("r")), TypeError);
  await clock.until(() => socket.state === "blocked");
  await waiting;
  assert.equal(far.made.length, 3);
  far.mood = "open";
  await clock.until(() => socket.state === "open", 130_000);
  assert.equal(seen.states.at(-1), "open");
});

test("where there is no room for another socket its replies come otherwise, and it is tried seldom", async () => {
  const { far, clock, socket } = opened({ mood: 4429, probe: async () => {} });
  far.hear = () => {};
  const waiting = assert.rejects(socket.follow(opening("r")), TypeError);
  await clock.until(() => socket.state === "blocked");
  await waiting;
  const made = far.made.length;
  await clock.advance(50_000);
  assert.equal(far.made.length, made);
});

test("a server that is away is waited for, and blocks nothing", async () => {
  const { far, clock, socket } = opened({
    mood: "refuse",
    probe: async () => {
      throw new TypeError("Failed to fetch");
    },
  });
  await clock.advance(500);
  for (let i = 0; i < 30; i++) await clock.advance(1000);
  assert.equal(socket.state, "connecting");
  far.mood = "open";
  await clock.until(() => socket.state === "open", 16_000);
});

test("a socket that never finishes its opening counts as one that failed", async () => {
  const { far, clock, socket } = opened({ mood: "hang" });
  await clock.advance(10_000);
  far.mood = "open";
  await clock.advance(500);
  assert.equal(socket.state, "open");
});

test("a policy that forbids sockets is no crash", async () => {
  const { clock, socket } = opened({
    connect: () => {
      throw new DOMException("no", "SecurityError");
    },
    probe: async () => {},
  });
  await clock.until(() => socket.state === "blocked");
});

test("a socket that was let go does nothing, until it is opened again", async () => {
  const { far, clock, socket } = opened();
  await settled();
  socket.close();
  socket.wake();
  await clock.advance(60_000);
  assert.deepEqual([far.made.length, socket.state], [1, "closed"]);
  socket.open();
  await settled();
  assert.equal(socket.state, "open");
});

test("an error for no reply of ours, and words that nobody knows, are passed over", async () => {
  const { far, socket } = opened();
  await settled();
  far.last.tell({ type: "error", ref: "f99", error: { code: "not_found" } });
  far.last.onmessage({ data: "no JSON" });
  far.last.tell({ type: "delta", run_id: "unknown", text: "x" });
  assert.equal(socket.state, "open");
});

test("a socket that is lost before a waiting reader has its turn is waited for again", async () => {
  const server = new FakeServer(stream("close", started(), ended("", "0-0")));
  const { socket, far, clock } = opened({ far: new FakeSockets(server) });
  const following = socket.follow(opening("r"));
  const { hear } = far;
  far.hear = function (one, message) {
    hear.call(far, one, message);
    if (far.made.length === 1) socket.sleep();
  };
  await clock.advance(500);
  const events = await following;
  assert.equal((await events.next()).value.type, "started");
  assert.equal(far.made.length, 2);
});
