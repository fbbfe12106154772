import assert from "node:assert/strict";
import { after, test } from "node:test";

import { byThread, Carrier } from "../../conversations/static/conversations/js/gathered.js";
import { pauseAt, serve } from "../../conversations/static/conversations/js/gatherer.js";
import { FakeClock } from "./fakes.js";

const URL_OF_STREAM = "http://127.0.0.1/events";
const ports = [];
after(() => ports.forEach((port) => port.close()));

/** A server that answers with a stream, on the other side of a port; `pieces` is its pen. */
function gathering({ status = 200, headers = {}, hasBody = true } = {}) {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const clock = new FakeClock();
  const far = { asked: [], pieces: null, signal: null };
  const fetch = async (url, init) => {
    far.asked.push([url, { ...init, signal: undefined }]);
    far.signal = init.signal;
    if (far.refuses) throw new TypeError("Failed to fetch");
    const start = (controller) => (far.pieces = controller);
    return new Response(hasBody ? new ReadableStream({ start }) : null, { status, headers });
  };
  serve(port1, { fetch, clock });
  const say = (text) => {
    far.pieces.enqueue(new TextEncoder().encode(text));
    return delivered();
  };
  return { carrier: new Carrier(port2), clock, far, say };
}

/** Let messages between threads come in. */
async function delivered() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve));
}

/** What a response's body gave so far, piece by piece. */
function read(response) {
  const seen = { pieces: [], isDone: false, error: null };
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return (seen.isDone = true);
      seen.pieces.push(decoder.decode(value));
    }
  })().catch((error) => (seen.error = error));
  return seen;
}

test("the first piece comes at once; what follows soon is handed over together", async () => {
  const { carrier, clock, say } = gathering();
  const seen = read(await carrier.fetch(URL_OF_STREAM, {}));
  await clock.advance(10_000);
  await say("first");
  assert.deepEqual(seen.pieces, ["first"]);
  await say("second ");
  await say("third");
  assert.deepEqual(seen.pieces, ["first"]);
  await clock.advance(pauseAt(10_000));
  await delivered();
  assert.deepEqual(seen.pieces, ["first", "second third"]);
});

test("a young stream is handed over as it comes", () => {
  assert.equal(pauseAt(0), 0);
  assert.ok(pauseAt(1000) < 100);
  assert.equal(pauseAt(60_000), 200);
});

test("what has gathered is handed over with the end, and before an error", async () => {
  for (const how of ["close", "error"]) {
    const { carrier, clock, far, say } = gathering();
    const seen = read(await carrier.fetch(URL_OF_STREAM, {}));
    await clock.advance(10_000);
    await say("first ");
    await say("last");
    far.pieces[how](new TypeError("network error"));
    await delivered();
    assert.equal(seen.pieces.join(""), "first last");
    assert.equal(seen.isDone, how === "close");
    assert.equal(seen.error instanceof TypeError, how === "error");
  }
});

test("much at once is handed over without waiting", async () => {
  const { carrier, clock, say } = gathering();
  const seen = read(await carrier.fetch(URL_OF_STREAM, {}));
  await clock.advance(10_000);
  await say("first");
  await say("x".repeat(70_000));
  assert.equal(seen.pieces.join("").length, 70_005);
});

test("a request and its answer are what they would be without a thread", async () => {
  const { carrier, far } = gathering({ status: 503, headers: { "Retry-After": "7" } });
  const init = { method: "POST", headers: { Accept: "text/event-stream" }, body: "{}" };
  const response = await carrier.fetch(URL_OF_STREAM, init);
  assert.deepEqual(far.asked, [[URL_OF_STREAM, { ...init, signal: undefined }]]);
  assert.deepEqual([response.status, response.ok], [503, false]);
  assert.equal(response.headers.get("Retry-After"), "7");
  const settled = gathering({ status: 204, hasBody: false });
  assert.equal((await settled.carrier.fetch(URL_OF_STREAM, {})).body, null);
});

test("an abort ends the request on both sides, as fetch does", async () => {
  const { carrier, far, say } = gathering();
  const abort = new AbortController();
  const seen = read(await carrier.fetch(URL_OF_STREAM, { signal: abort.signal }));
  await say("first");
  abort.abort();
  await delivered();
  assert.equal(seen.error.name, "AbortError");
  assert.ok(far.signal.aborted);
  const again = carrier.fetch(URL_OF_STREAM, { signal: abort.signal });
  await assert.rejects(again, { name: "AbortError" });
  assert.equal(far.asked.length, 1);
});

test("an abort before the answer rejects", async () => {
  const { carrier } = gathering();
  const abort = new AbortController();
  const asked = carrier.fetch(URL_OF_STREAM, { signal: abort.signal });
  abort.abort();
  await assert.rejects(asked, { name: "AbortError" });
});

test("a body that is left is left on the other side", async () => {
  const { carrier, far } = gathering();
  const response = await carrier.fetch(URL_OF_STREAM, {});
  await response.body.cancel();
  await delivered();
  assert.ok(far.signal.aborted);
});

test("where the server, or the thread, is gone, it is an error of the network", async () => {
  const { carrier, far } = gathering();
  const seen = read(await carrier.fetch(URL_OF_STREAM, {}));
  carrier.fail();
  await delivered();
  assert.ok(seen.error instanceof TypeError);
  far.refuses = true;
  await assert.rejects(carrier.fetch(URL_OF_STREAM, {}), TypeError);
});

test("a thread that fails is ended, and the page reads by itself", async (t) => {
  const threads = [];
  globalThis.Worker = class {
    ended = 0;
    constructor() {
      threads.push(this);
    }
    postMessage() {}
    terminate() {
      this.ended += 1;
    }
  };
  t.after(() => delete globalThis.Worker);
  t.mock.method(globalThis, "fetch", async () => "by itself");
  const read = byThread();
  const [thread] = threads;
  thread.onmessage({ data: { isReady: true } });
  const init = { headers: { Accept: "text/event-stream" } };
  const asked = read(URL_OF_STREAM, init);
  thread.onerror();
  await assert.rejects(asked, TypeError);
  assert.equal(thread.ended, 1);
  assert.equal(await read(URL_OF_STREAM, init), "by itself");
});
