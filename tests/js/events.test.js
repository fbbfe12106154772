import assert from "node:assert/strict";
import { test } from "node:test";

import { follow } from "../../conversations/static/conversations/js/events.js";
import { polling } from "../../conversations/static/conversations/js/poll.js";
import {
  pendingReply,
  replyFrom,
  textOf,
} from "../../conversations/static/conversations/js/reply.js";
import { Socket } from "../../conversations/static/conversations/js/socket.js";
import { stream as overSse } from "../../conversations/static/conversations/js/stream.js";
import { carriedBy } from "../../conversations/static/conversations/js/transport.js";
import {
  FakeClock,
  FakeServer,
  FakeSockets,
  STREAM,
  delta,
  digest,
  ended,
  page,
  ping,
  refused,
  settled,
  started,
  status,
  stream,
} from "./fakes.js";

const TRANSPORTS = {
  sse: () => overSse,
  socket(server, clock) {
    const far = new FakeSockets(server);
    return carriedBy(new Socket({ url: "ws:", connect: far.connect, clock, random: () => 1 }));
  },
};

/** A promise that every transport keeps. */
function onBoth(promise, claim) {
  for (const [name, transport] of Object.entries(TRANSPORTS)) {
    test(`${promise} (${name})`, () =>
      claim((server, options = {}) => {
        const clock = new FakeClock();
        return following(server, { clock, transport: transport(server, clock), ...options });
      }));
  }
}

function following(server, { clock = new FakeClock(), ...options } = {}) {
  const seen = { texts: [], states: [], end: null, loads: 0 };
  const follower = follow({
    reply: pendingReply("r"),
    fetch: server.fetch,
    clock,
    digest,
    random: () => 1,
    load: async () => {
      throw new Error("nothing is stored");
    },
    onReply: (reply) => seen.texts.push(textOf(reply)),
    onConnection: ({ state }) => seen.states.push(state),
    onEnd: (end) => (seen.end = end),
    ...options,
  });
  return { follower, clock, seen };
}

const start = { path: "/api/conversations/c/messages", body: { reply_id: "r", content: "hi" } };

onBoth("a reply is followed to its end", async (following) => {
  const server = new FakeServer(
    stream("close", "retry: 2000\n\n", started(), delta("0-0", "ab", "1-2"), delta("1-2", "c", "1-3"), ended("abc", "1-3")),
  );
  const { seen } = following(server);
  await settled();
  assert.equal(seen.end.outcome, "settled");
  assert.equal(textOf(seen.end.reply), "abc");
  assert.deepEqual(server.paths, ["/api/runs/r/events?after=0-0"]);
});

onBoth("a planned close reconnects at once with the last cursor", async (following) => {
  const server = new FakeServer(
    stream("close", started(), delta("0-0", "ab", "1-2")),
    stream("close", started("1-2"), delta("1-2", "c", "1-3"), ended("abc", "1-3")),
  );
  const { seen, clock } = following(server);
  await clock.until(() => seen.end, 500);
  assert.equal(textOf(seen.end.reply), "abc");
  assert.deepEqual(server.cursors, ["0-0", "1-2"]);
});

onBoth("a torn connection is taken up again where it was, again and again", async (following) => {
  const server = new FakeServer(
    stream("break", started(), delta("0-0", "ab", "1-2")),
    stream("break", started("1-2"), delta("1-2", "c", "1-3")),
    refused,
    stream("break"),
    stream("close", started("1-3"), ended("abc", "1-3")),
  );
  const { seen, clock } = following(server);
  await clock.until(() => seen.end);
  assert.equal(textOf(seen.end.reply), "abc");
  assert.deepEqual(server.cursors, ["0-0", "1-2", "1-3", "1-3", "1-3"]);
  assert.ok(seen.states.includes("reconnecting"));
});

test("a server that closes without saying anything is not asked in circles", async () => {
  const server = new FakeServer(stream("close", started()), stream("close", started()));
  const { clock } = following(server);
  await settled();
  assert.equal(server.requests.length, 1);
  await clock.advance(500);
  assert.equal(server.requests.length, 2);
});

test("a torn stream, a refused connection, 502 and 503 are tried again with growing waits", async () => {
  const server = new FakeServer(
    stream("break", started(), delta("0-0", "ab", "1-2")),
    refused,
    status(502, { code: "bad_gateway", message: "" }),
    status(503, { code: "draining", message: "" }),
    stream("close", started("1-2"), delta("1-2", "c", "1-3"), ended("abc", "1-3")),
  );
  const { seen, clock } = following(server);
  for (const [count, wait] of [[1, 500], [2, 1000], [3, 2000], [4, 4000]]) {
    await settled();
    assert.equal(server.requests.length, count);
    await clock.advance(wait - 1);
    assert.equal(server.requests.length, count, "not before its time");
    await clock.advance(1);
  }
  assert.equal(textOf(seen.end.reply), "abc");
  assert.ok(seen.states.includes("reconnecting"));
});

test("Retry-After is respected", async () => {
  const server = new FakeServer(
    status(503, { code: "draining", message: "" }, { "Retry-After": "7" }),
    stream("close", started(), ended("", "0-0")),
  );
  const { seen, clock } = following(server);
  await clock.advance(6999);
  assert.equal(server.requests.length, 1);
  await clock.advance(1);
  assert.equal(seen.end.outcome, "settled");
});

onBoth("a connection without a byte for 2.5 heartbeats counts as dead", async (following) => {
  const server = new FakeServer(
    stream("hang", started(), ping(), delta("0-0", "a", "1-1")),
    stream("close", started("1-1"), ended("a", "1-1")),
  );
  const { seen, clock } = following(server, { heartbeatSeconds: 10 });
  await clock.advance(24_999);
  assert.equal(server.requests.length, 1);
  await clock.advance(1);
  await clock.advance(500);
  assert.equal(seen.end.outcome, "settled");
});

test("waking ends a wait", async () => {
  const server = new FakeServer(refused, stream("close", started(), ended("", "0-0")));
  const { seen, follower } = following(server);
  await settled();
  follower.wake();
  await settled();
  assert.equal(seen.end.outcome, "settled");
});

test("waking leaves a connection that was just heard, and replaces one that was silent", async () => {
  const server = new FakeServer(
    stream("hang", started(), delta("0-0", "a", "1-1")),
    stream("close", started("1-1"), ended("a", "1-1")),
  );
  const { seen, clock, follower } = following(server);
  await clock.advance(1000);
  follower.wake();
  await settled();
  assert.equal(server.requests.length, 1);
  await clock.advance(10_000);
  follower.wake();
  await clock.advance(500);
  assert.equal(seen.end.outcome, "settled");
});

onBoth("offline is said, and the way back is found when the network returns", async (following) => {
  let online = true;
  const server = new FakeServer(
    stream("hang", started(), delta("0-0", "a", "1-1")),
    stream("close", started("1-1"), ended("a", "1-1")),
  );
  const { seen, follower } = following(server, { isOnline: () => online });
  await settled();
  online = false;
  follower.sleep();
  await settled();
  assert.equal(seen.states.at(-1), "offline");
  online = true;
  follower.wake();
  await settled();
  assert.equal(seen.end.outcome, "settled");
});

test("a start is repeated with the same ids until it is answered, then followed by its cursor", async () => {
  const server = new FakeServer(
    refused,
    stream("break", started(), delta("0-0", "ab", "1-2")),
    stream("close", started("1-2"), ended("ab", "1-2")),
  );
  const { seen, clock } = following(server, { start });
  await clock.advance(500);
  await clock.advance(500);
  await clock.advance(1000);
  assert.equal(seen.end.outcome, "settled");
  const [first, second, third] = server.requests;
  assert.deepEqual(first, second);
  assert.equal(first.method, "POST");
  assert.deepEqual([third.method, third.path], ["GET", "/api/runs/r/events?after=1-2"]);
});

test("a page of a proxy is no answer: the start is repeated until the server has it", async () => {
  for (const name of ["sse", "socket"]) {
    const answer = stream("close", started(), delta("0-0", "ab", "1-2"), ended("ab", "1-2"));
    const server = new FakeServer(page, page, ...(name === "socket" ? [status(202, null)] : []), answer);
    const clock = new FakeClock();
    const transport = TRANSPORTS[name](server, clock);
    const { seen, follower } = following(server, { clock, transport, start });
    await settled();
    assert.ok(!follower.accepted, name);
    await clock.until(() => seen.end);
    assert.equal(textOf(seen.end.reply), "ab", name);
    assert.deepEqual(server.requests.slice(0, 3).map(({ method }) => method), ["POST", "POST", "POST"]);
  }
});

test("what has to be done before a start is repeated with it", async () => {
  let prepared = 0;
  const prepare = async () => {
    if (++prepared === 1) refused();
  };
  const server = new FakeServer(stream("close", started(), ended("", "0-0")));
  const { seen, clock } = following(server, { start: { ...start, prepare } });
  await clock.advance(500);
  assert.equal(prepared, 2);
  assert.equal(seen.end.outcome, "settled");
});

test("what is done before a start is given up like a dead connection, and done again", async () => {
  let prepared = 0;
  const prepare = (signal) =>
    ++prepared > 1 ||
    new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const server = new FakeServer(stream("close", started(), ended("", "0-0")));
  const { seen, clock } = following(server, { start: { ...start, prepare } });
  await clock.until(() => seen.end, 30_000);
  assert.deepEqual([prepared, seen.end.outcome], [2, "settled"]);
});

test("another reply in flight ends the attempt and names that reply", async () => {
  const error = { code: "reply_in_progress", message: "", run_id: "other" };
  const { seen } = following(new FakeServer(status(409, error)), { start });
  await settled();
  assert.equal(seen.end.outcome, "busy");
  assert.equal(seen.end.error.run_id, "other");
});

test("a start that is refused is not repeated", async () => {
  for (const code of [401, 403, 404, 409, 413, 422, 429]) {
    const server = new FakeServer(status(code, { code: "refused", message: "No." }));
    const { seen } = following(server, { start });
    await settled();
    assert.equal(seen.end.outcome, "refused", String(code));
    assert.equal(seen.end.error.status, code);
  }
});

onBoth("a reply that does not exist any more is gone", async (following) => {
  const { seen } = following(new FakeServer(status(404, { code: "not_found", message: "" })));
  await settled();
  assert.equal(seen.end.outcome, "gone");
});

test("204 means that the reply is settled: it is read as stored", async () => {
  const message = { id: "r", parts: [{ kind: "text", text: "abc" }], cursor: "1-3", status: "stopped" };
  const { seen } = following(new FakeServer(status(204)), { load: async () => message });
  await settled();
  assert.equal(seen.end.outcome, "settled");
  assert.equal(seen.end.reply.status, "stopped");
});

onBoth("a gap asks anew from what is there, without taking text away", async (following) => {
  const server = new FakeServer(
    stream("hang", started(), delta("0-0", "ab", "1-2"), delta("1-3", "d", "1-4")),
    stream("close", started("1-2"), delta("1-2", "cd", "1-4"), ended("abcd", "1-4")),
  );
  const { seen } = following(server);
  await settled();
  assert.equal(textOf(seen.end.reply), "abcd");
  assert.deepEqual(seen.texts.filter((text) => text === ""), seen.texts.slice(0, seen.texts.indexOf("ab")));
});

onBoth("a gap that comes again is filled from what is stored", async (following) => {
  const gap = () => stream("hang", started("1-2"), delta("1-3", "d", "1-4"));
  const message = { id: "r", parts: [{ kind: "text", text: "abcd" }], cursor: "1-4", status: "running" };
  const server = new FakeServer(gap(), gap(), stream("close", started("1-4"), ended("abcd", "1-4")));
  const reply = replyFrom({ ...message, parts: [{ kind: "text", text: "ab" }], cursor: "1-2" });
  const { seen, clock } = following(server, { reply, load: async () => message });
  await clock.advance(500);
  assert.equal(textOf(seen.end.reply), "abcd");
  assert.equal(server.cursors[2], "1-4");
});

onBoth("text that differs from the digest of the end is replaced by what is stored", async (following) => {
  const message = { id: "r", parts: [{ kind: "text", text: "abc" }], cursor: "1-3", status: "completed" };
  const server = new FakeServer(
    stream("close", started(), delta("0-0", "abx", "1-3"), ended("abc", "1-3")),
  );
  const { seen } = following(server, { load: async () => message });
  await settled();
  assert.equal(textOf(seen.end.reply), "abc");
});

onBoth("a refused cursor reads what is stored", async (following) => {
  const message = { id: "r", parts: [{ kind: "text", text: "abc" }], cursor: "1-3", status: "failed" };
  const server = new FakeServer(status(400, { code: "bad_cursor", message: "", cursor: "1-3" }));
  const { seen } = following(server, { load: async () => message });
  await settled();
  assert.equal(seen.end.reply.status, "failed");
});

onBoth("nothing is said any more after closing", async (following) => {
  const server = new FakeServer(stream("hang", started(), delta("0-0", "a", "1-1")));
  const { seen, follower } = following(server);
  await settled();
  const before = seen.texts.length;
  follower.close();
  await settled();
  assert.equal(seen.end, null);
  assert.equal(seen.texts.length, before);
  assert.equal(server.requests.length, 1);
});

test("deltas that came together are taken together", async () => {
  const piece = started() + delta("0-0", "one ", "1-4") + delta("1-4", "two ", "1-8");
  const last = delta("1-8", "three", "1-13") + ended("one two three", "1-13");
  const { seen } = following(new FakeServer(stream("close", piece, last)));
  await settled();
  assert.deepEqual([...new Set(seen.texts)], ["one two ", "one two three"]);
  assert.equal(seen.end.outcome, "settled");
});

test("a gap between deltas that came together is one", async () => {
  const torn = started() + delta("0-0", "one ", "1-4") + delta("1-8", "three", "1-13");
  const rest = started("1-4") + delta("1-4", "two three", "1-13") + ended("one two three", "1-13");
  const server = new FakeServer(stream("hang", torn), stream("close", rest));
  const { seen } = following(server);
  await settled();
  assert.deepEqual(server.cursors, ["0-0", "1-4"]);
  assert.equal(seen.texts.at(-1), "one two three");
});

test("frames that are cut anywhere, also inside of a character, give the same text", async () => {
  const bytes = new TextEncoder().encode(
    started() + delta("0-0", "渡𝕠", "1-2") + ended("渡𝕠", "1-2"),
  );
  for (let cut = 1; cut < bytes.length; cut += 7) {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes.slice(0, cut));
        controller.enqueue(bytes.slice(cut));
        controller.close();
      },
    });
    const { seen } = following(new FakeServer(() => new Response(body, { headers: STREAM })));
    await settled();
    assert.equal(textOf(seen.end.reply), "渡𝕠");
  }
});

test("a start whose events come over a socket is a request, and then followed", async () => {
  const server = new FakeServer(
    refused,
    status(202, null),
    stream("close", started(), delta("0-0", "ab", "1-2"), ended("ab", "1-2")),
  );
  const clock = new FakeClock();
  const transport = TRANSPORTS.socket(server, clock);
  const { seen, follower } = following(server, { clock, transport, start });
  await clock.until(() => seen.end);
  assert.equal(textOf(seen.end.reply), "ab");
  assert.ok(follower.accepted);
  const [first, second, third] = server.requests;
  assert.deepEqual(first, second);
  assert.deepEqual([first.method, third.path], ["POST", "/api/runs/r/events?after=0-0"]);
});

test("a start over a socket that is refused says why", async () => {
  const server = new FakeServer(status(422, { code: "invalid_field", message: "No." }));
  const clock = new FakeClock();
  const { seen } = following(server, { clock, transport: TRANSPORTS.socket(server, clock), start });
  await settled();
  assert.deepEqual([seen.end.outcome, seen.end.error.code], ["refused", "invalid_field"]);
});

test("where nothing streams, what is stored is read until it has its end", async () => {
  const at = (text, status) => ({
    id: "r",
    parts: [{ kind: "text", text }],
    cursor: `1-${text.length}`,
    status,
  });
  const stored = [at("a", "running"), at("a", "running"), at("abc", "running"), at("abcd", "completed")];
  const clock = new FakeClock();
  const server = new FakeServer(status(202, null));
  const load = async () => stored.shift();
  const { seen } = following(server, { clock, transport: polling({ clock }), load, start });
  await clock.until(() => seen.end);
  assert.equal(server.requests.length, 1);
  assert.equal(textOf(seen.end.reply), "abcd");
  assert.deepEqual([...new Set(seen.texts)], ["a", "abc", "abcd"]);
  assert.ok(clock.time < 5000);
});

test("polling that fails is tried again, and asked less often while nothing happens", async () => {
  let asked = 0;
  const clock = new FakeClock();
  const load = async () => {
    if (++asked === 2) throw new TypeError("Failed to fetch");
    return { id: "r", parts: [], cursor: "0-0", status: asked < 12 ? "running" : "stopped" };
  };
  const { seen } = following(new FakeServer(), { clock, transport: polling({ clock }), load });
  await clock.until(() => seen.end);
  assert.equal(seen.end.reply.status, "stopped");
  assert.ok(clock.time > 20_000, `${clock.time}`);
});
