// The client: starts or follows one reply and gives its state after each event, whatever happens
// to the network, the server or the machine in between. It knows no DOM.
//
//   const follower = follow({
//     reply: replyFrom(message),          // or pendingReply(id) for one that is to be started
//     load: () => readMessage(message.id),
//     onReply: (reply) => draw(reply),
//     onEnd: ({ outcome, reply }) => …,
//   });
//   addEventListener("online", () => follower.wake());
//
// Every server that speaks docs/protocol.md can be followed with it.

import { backoffMs } from "./backoff.js";
import { systemClock } from "./clock.js";
import { Refused } from "./refused.js";
import { adopt, apply, isWhole } from "./reply.js";
import { stream } from "./stream.js";

export { Refused };

const START_ATTEMPTS_ON_500 = 4;
const SILENT_HEARTBEATS = 2.5;
const BRIEF_MS = 1000;

/**
 * @typedef {object} Options
 * @property {import("./reply.js").Reply} reply where to begin; its id is the run's
 * @property {(signal: AbortSignal) => Promise<object>} load reads the message as it is stored, for
 *   when text is missing; throws as `fetch` does, or `Refused`
 * @property {Start} [start] a request that starts the run; repeated until it is answered, which is
 *   safe because its body carries `reply_id`
 * @property {(reply: object) => void} [onReply] called with each new state
 * @property {(connection: Connection) => void} [onConnection] called when it changes
 * @property {(end: End) => void} [onEnd] called once, unless `close` came first
 * @property {(path: string, init: object) => Promise<Response>} [fetch] adds credentials where
 *   needed
 * @property {import("./stream.js").Transport} [transport] server-sent events where it is left out
 * @property {number} [heartbeatSeconds] how often the server pings; after 2.5 of them without a
 *   byte the connection counts as dead
 * @property {() => boolean} [isOnline] only used to say `offline` instead of `reconnecting`
 * @property {(text: string) => Promise<string | null>} [digest] SHA-256 in hex
 * @property {import("./clock.js").Clock} [clock] for tests
 * @property {() => number} [random] for the jitter
 *
 * @typedef {object} Start
 * @property {string} path
 * @property {object} body
 * @property {(signal: AbortSignal) => Promise<void>} [prepare] done before, and repeated with it;
 *   throws as fetch does
 *
 * @typedef {object} Connection
 * @property {"connecting" | "open" | "reconnecting" | "offline" | "closed"} state
 * @property {boolean} accepted the server has the reply: leaving loses nothing
 *
 * @typedef {object} End
 * @property {"settled" | "gone" | "busy" | "refused"} outcome settled: the reply has its end; gone:
 *   it does not exist (any more); busy: another reply is in flight here, see `error.run_id`;
 *   refused: see `error`
 * @property {object} reply
 * @property {object} [error] the error object of the contract, with `status`
 */

/**
 * Start or follow a reply.
 * @param {Options} options
 */
export function follow(options) {
  return new Follower(options);
}

class Follower {
  #options;
  #reply;
  #accepted;
  #connection = null;
  #closed = false;
  #attempt = 0;
  #misses = 0;
  #retryMs = 500;
  #abort = null;
  #watchdog = null;
  #heardAt = 0;
  #stopWaiting = null;

  constructor(options) {
    this.#options = {
      start: null,
      onReply() {},
      onConnection() {},
      onEnd() {},
      fetch: (path, init) => fetch(path, init),
      transport: stream,
      heartbeatSeconds: 10,
      isOnline: () => true,
      digest: undefined,
      clock: systemClock,
      random: Math.random,
      ...options,
    };
    this.#reply = options.reply;
    this.#accepted = !options.start;
    this.#run();
  }

  get reply() {
    return this.#reply;
  }

  /** Whether the server has the reply, so that leaving loses nothing. */
  get accepted() {
    return this.#accepted;
  }

  /**
   * The network, the page or the machine is back: try now instead of later, and do not trust a
   * connection that has been silent. For `online`, `visibilitychange` and `pageshow`.
   */
  wake() {
    const { clock, heartbeatSeconds } = this.#options;
    if (this.#stopWaiting) this.#stopWaiting();
    else if (clock.now() - this.#heardAt > heartbeatSeconds * 1000) this.#abort?.abort();
  }

  /** The network is gone. For `offline`. */
  sleep() {
    this.#abort?.abort();
  }

  /** Follow no longer. The reply goes on without us. */
  close() {
    this.#closed = true;
    this.#abort?.abort();
    this.#stopWaiting?.();
    this.#say("closed");
  }

  async #run() {
    while (!this.#closed) {
      this.#say(this.#attempt || this.#connection ? this.#away() : "connecting");
      const next = await this.#once().catch((error) => this.#afterFailure(error));
      if (this.#closed) return;
      if (next.end) return this.#finish(next.end, next.error);
      if (!next.waitMs) continue;
      this.#say(this.#away());
      await this.#wait(next.waitMs);
    }
  }

  /** One connection. Returns what to do next: `{end}`, `{waitMs}` or, for at once, `{}`. */
  async #once() {
    this.#abort = new AbortController();
    this.#touch();
    let next = null;
    try {
      const carried = await this.#open();
      next = carried.settled ? await this.#recover() : await this.#read(carried);
      return next;
    } finally {
      // After the end the server closes by itself; everything else is left behind.
      if (!next?.end) this.#abort?.abort();
      this.#options.clock.clearTimeout(this.#watchdog);
      this.#watchdog = null;
    }
  }

  #open() {
    const { fetch, load, start, transport } = this.#options;
    return transport.open({
      id: this.#reply.id,
      after: this.#reply.cursor,
      start: this.#accepted ? null : start,
      signal: this.#abort.signal,
      onAccepted: () => (this.#accepted = true),
      onSign: () => this.#touch(),
      fetch,
      load,
    });
  }

  async #read({ events, retryMs, drain }) {
    const begun = this.#options.clock.now();
    let progressed = false;
    this.#say("open");
    for (;;) {
      const { done, value: event } = await events.next();
      if (this.#closed) return {};
      this.#retryMs = retryMs?.() ?? this.#retryMs;
      if (done) break;
      const next = await this.#take(event);
      if (next?.end) drain?.();
      if (next) return next;
      progressed ||= event.type === "delta";
      if (event.type !== "started") this.#attempt = 0;
    }
    // A close without `ended` means: come back at once. Not in circles, though.
    const brief = !progressed && this.#options.clock.now() - begun < BRIEF_MS;
    return brief ? { waitMs: this.#backoff() } : {};
  }

  async #take(event) {
    if (event.type === "stored") return this.#adopt(event.message);
    const { reply, gap } = apply(this.#reply, event);
    if (gap) return this.#missed();
    if (event.type === "ended" && !(await isWhole(reply, event, this.#options.digest))) {
      return this.#recover();
    }
    if (event.type === "delta") this.#misses = 0;
    this.#become(reply);
    return event.type === "ended" ? { end: "settled" } : null;
  }

  /** Text is missing: ask anew from what we have; if that does not help, read what is stored. */
  async #missed() {
    this.#misses++;
    return this.#misses > 1 ? this.#recover() : {};
  }

  /** What is stored counts: read it, and go on from there if it has no end yet. */
  async #recover() {
    const message = await this.#options.load(this.#abort.signal);
    return this.#adopt(message) ?? { waitMs: this.#backoff() };
  }

  #adopt(message) {
    this.#become(adopt(this.#reply, message));
    return this.#reply.status === "running" ? null : { end: "settled" };
  }

  #afterFailure(error) {
    if (!(error instanceof Refused)) return { waitMs: this.#backoff() };
    const { status } = error;
    const starting = !this.#accepted;
    if (status === 404 && !starting) return { end: "gone", error: error.error };
    if (status === 409 && error.error.code === "reply_in_progress") {
      return { end: "busy", error: error.error };
    }
    if (status === 400 && !starting && this.#misses < 3) return this.#badCursor();
    if (status === 429 && !starting) return { waitMs: error.afterMs ?? this.#backoff() };
    if (status >= 500 && !(starting && status === 500 && this.#attempt >= START_ATTEMPTS_ON_500)) {
      return { waitMs: Math.max(error.afterMs ?? 0, this.#backoff()) };
    }
    return { end: "refused", error: error.error };
  }

  async #badCursor() {
    this.#misses++;
    this.#abort = new AbortController();
    return this.#recover().catch((error) => this.#afterFailure(error));
  }

  #become(reply) {
    if (reply === this.#reply || this.#closed) return;
    this.#reply = reply;
    this.#options.onReply(reply);
  }

  #finish(outcome, error) {
    this.#say("closed");
    this.#closed = true;
    this.#options.onEnd({ outcome, reply: this.#reply, ...(error && { error }) });
  }

  #say(state) {
    const { state: before, accepted } = this.#connection ?? {};
    if (before === state && accepted === this.#accepted) return;
    this.#connection = { state, accepted: this.#accepted };
    this.#options.onConnection(this.#connection);
  }

  #away() {
    return this.#options.isOnline() ? "reconnecting" : "offline";
  }

  #backoff() {
    const { random } = this.#options;
    return backoffMs(this.#attempt++, { baseMs: Math.min(this.#retryMs, 500), random });
  }

  #wait(ms) {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(done, ms);
      this.#stopWaiting = done;
      const self = this;
      function done() {
        clock.clearTimeout(timer);
        self.#stopWaiting = null;
        resolve();
      }
    });
  }

  #touch() {
    this.#heardAt = this.#options.clock.now();
    if (this.#watchdog === null) this.#watch(this.#silenceMs);
  }

  /** Signs come by the thousand: one timer looks when the last of them was. */
  #watch(ms) {
    const { clock } = this.#options;
    const controller = this.#abort;
    this.#watchdog = clock.setTimeout(() => {
      this.#watchdog = null;
      const left = this.#heardAt + this.#silenceMs - clock.now();
      if (left > 0) this.#watch(left);
      else controller?.abort();
    }, ms);
  }

  get #silenceMs() {
    return this.#options.heartbeatSeconds * SILENT_HEARTBEATS * 1000;
  }
}
