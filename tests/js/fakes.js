// Servers that answer as they were told, sockets to them, and time that moves when it is told to.

import { createHash } from "node:crypto";

import { SseParser } from "../../conversations/static/conversations/js/sse.js";

export const sha256 = (text) => createHash("sha256").update(text).digest("hex");
export const digest = async (text) => sha256(text);

export const started = (cursor = "0-0") => frame({ type: "started", cursor });
export const ping = (state = "waiting") => frame({ type: "ping", state, idle_seconds: 1 });
export const delta = (at, text, cursor) =>
  frame({ type: "delta", part: 1, kind: "text", at, text }, cursor);
export const ended = (text, cursor, more = {}) =>
  frame(
    {
      type: "ended",
      status: "completed",
      reason: "stop",
      retryable: false,
      usage: null,
      text_length: [...text].length,
      text_sha256: sha256(text),
      cursor,
      ...more,
    },
    `${cursor}.end`,
  );

function frame(event, id) {
  return `${id ? `id: ${id}\n` : ""}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The headers of a stream. */
export const STREAM = { "Content-Type": "text/event-stream; charset=utf-8" };

/** Answers requests one after the other as they were scripted. */
export class FakeServer {
  requests = [];
  #answers;

  constructor(...answers) {
    this.#answers = answers;
  }

  fetch = async (path, init) => {
    this.requests.push({ path, method: init.method ?? "GET", body: init.body && JSON.parse(init.body) });
    const answer = this.#answers.shift();
    if (!answer) return new Promise((_, reject) => whenAborted(init.signal, reject));
    return answer(init);
  };

  get paths() {
    return this.requests.map(({ path }) => path);
  }

  /** From where the reply was followed, each time. */
  get cursors() {
    return this.paths.filter((path) => path.includes("?after=")).map((path) => path.split("=")[1]);
  }
}

export const refused = () => {
  throw new TypeError("Failed to fetch");
};
export const status = (code, error, headers) => () =>
  new Response(code === 204 ? null : JSON.stringify({ error }), {
    status: code,
    headers: { "Content-Type": "application/json", ...headers },
  });
/** A page of somebody else on the way, as a proxy's to sign in: a stranger to the protocol. */
export const page = () =>
  new Response("<h1>Sign in</h1>", { headers: { "Content-Type": "text/html; charset=utf-8" } });

/** A stream that gives these frames; `close` ends it, `break` tears it, `hang` leaves it open. */
export function stream(how, ...frames) {
  return ({ signal }) => {
    const body = new ReadableStream({
      start(controller) {
        whenAborted(signal, (error) => controller.error(error));
        for (const text of frames) controller.enqueue(new TextEncoder().encode(text));
        if (how === "close") controller.close();
      },
      pull(controller) {
        if (how === "break") controller.error(new TypeError("network error"));
      },
    });
    return new Response(body, { headers: STREAM });
  };
}

function whenAborted(signal, reject) {
  const abort = () => reject(new DOMException("aborted", "AbortError"));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort);
}

/** Time that moves only when it is told to. */
export class FakeClock {
  time = 0;
  #timers = new Map();
  #next = 1;

  now = () => this.time;
  setTimeout = (task, ms) => {
    this.#timers.set(this.#next, { task, at: this.time + ms });
    return this.#next++;
  };
  clearTimeout = (id) => this.#timers.delete(id);

  /** The wait of the one who waits the shortest; watchdogs are set for longer. */
  async advance(ms) {
    await settled();
    this.time += ms;
    for (const [id, { task, at }] of [...this.#timers]) {
      if (at <= this.time && this.#timers.delete(id)) task();
    }
    await settled();
  }

  /** Let time pass in small steps until a claim holds. */
  async until(claim, limitMs = 120_000) {
    const end = this.time + limitMs;
    await settled();
    while (!claim() && this.time < end) await this.advance(100);
    if (!claim()) throw new Error(`not after ${limitMs} ms`);
  }
}

/** Let everything happen that needs no time. */
export async function settled() {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The far end of WebSockets; `server` answers what is followed, as it would answer requests. */
export class FakeSockets {
  made = [];
  said = [];
  revision = 1;
  /** What becomes of a new socket: `open`, `refuse`, `hang`, or a close code after it opened. */
  mood = "open";
  #server;

  constructor(server = new FakeServer()) {
    this.#server = server;
  }

  connect = (url) => {
    const socket = new FakeSocket(url, this);
    this.made.push(socket);
    return socket;
  };

  get last() {
    return this.made.at(-1);
  }

  async hear(socket, message) {
    this.said.push(message);
    if (message.type === "ping") socket.tell({ type: "pong", revision: this.revision });
    if (message.type === "follow") await this.#follow(socket, message);
    if (message.type === "unfollow") socket.aborts.get(message.run_id)?.abort();
  }

  async #follow(socket, { ref, run_id, after }) {
    const controller = new AbortController();
    socket.aborts.set(run_id, controller);
    const path = `/api/runs/${run_id}/events?after=${after}`;
    let response;
    try {
      response = await this.#server.fetch(path, { signal: controller.signal });
    } catch {
      return socket.fail(1006);
    }
    if (!response.ok) return socket.tell({ type: "error", ref, ...(await response.json()) });
    const parser = new SseParser();
    let over = false;
    try {
      for await (const piece of response.body) {
        for (const { data, id } of parser.push(new TextDecoder().decode(piece))) {
          const event = JSON.parse(data);
          over ||= event.type === "ended";
          socket.tell({ run_id, ...event, ...(event.type === "delta" && { cursor: id }) });
        }
      }
    } catch {
      if (!controller.signal.aborted) socket.fail(1006);
      return;
    }
    if (!over) socket.fail(1012);
  }
}

class FakeSocket {
  readyState = 0;
  aborts = new Map();

  constructor(url, far) {
    this.url = url;
    this.far = far;
    setImmediate(() => this.#begin(far.mood));
  }

  send(text) {
    this.far.hear(this, JSON.parse(text));
  }

  close() {
    this.fail(1000);
  }

  tell(message) {
    if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The connection ends. */
  fail(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    for (const one of this.aborts.values()) one.abort();
    setImmediate(() => this.onclose?.({ code }));
  }

  #begin(mood) {
    if (mood === "hang") return;
    if (mood === "refuse") return this.fail(1006);
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.({});
    if (mood !== "open") this.fail(mood);
  }
}

/** A browser's storage; `room` is how much fits in. */
export class FakeStorage {
  items = new Map();
  room = Infinity;
  get length() {
    return this.items.size;
  }
  key(n) {
    return [...this.items.keys()][n] ?? null;
  }
  getItem(key) {
    return this.items.get(key) ?? null;
  }
  setItem(key, value) {
    const used = [...this.items].reduce((sum, [k, v]) => sum + (k === key ? 0 : v.length), 0);
    if (used + value.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, value);
  }
  removeItem(key) {
    this.items.delete(key);
  }
}
