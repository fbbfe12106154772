// One WebSocket of the page: it comes back by itself, and carries any number of replies and the
// person's sync events. It knows no DOM.

import { backoffMs } from "./backoff.js";
import { Channel } from "./channel.js";
import { aborted, systemClock } from "./clock.js";
import { Refused } from "./refused.js";

const NOT_SIGNED_IN = 4401;
const IDLE = 4408;
const OPENING_MS = 10_000;
const QUIET_MS = 25_000;
const ANSWER_MS = 6_000;
const BLOCKED_AFTER = 2;
const BLOCKED_RETRY_MS = 60_000;
const EVENTS = new Set(["started", "delta", "ping", "ended"]);
const STATUSES = { not_found: 404, bad_cursor: 400, storage_unavailable: 503, internal: 500 };

/**
 * @typedef {object} Options
 * @property {string} url
 * @property {(event: object) => void} [onSync] called with each sync event
 * @property {(revision: number) => void} [onRevision] called with what each `pong` says
 * @property {(state: State) => void} [onState]
 * @property {() => Promise<unknown>} [probe] a plain request to the same server: if it is answered
 *   while sockets do not open, they are blocked on the way
 * @property {() => Promise<boolean>} [isKnown] asks whether somebody is signed in: their session may
 *   have another key than the one with which the socket was opened
 * @property {() => boolean} [isWatched] whether anybody looks; an unwatched socket is left to idle
 * @property {(url: string) => WebSocket} [connect] for tests
 * @property {import("./clock.js").Clock} [clock] for tests
 * @property {() => number} [random] for the jitter
 *
 * @typedef {"closed" | "connecting" | "open" | "blocked" | "refused"} State refused: nobody is
 *   signed in
 */

export class Socket {
  #options;
  #state = "closed";
  #wanted = false;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #failures = 0;
  #isReachable = false;
  #heardAt = 0;
  #asked = false;
  #refs = 0;
  #channels = new Map();
  #waiting = new Set();

  /** @param {Options} options */
  constructor(options) {
    this.#options = {
      onSync() {},
      onRevision() {},
      onState() {},
      probe: async () => {
        throw new Error("nobody to ask");
      },
      isKnown: async () => false,
      isWatched: () => true,
      connect: (url) => new WebSocket(url),
      clock: systemClock,
      random: Math.random,
      ...options,
    };
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Keep a connection from now on. */
  open() {
    this.#wanted = true;
    if (this.#state === "closed" && !this.#timer) this.#dial();
  }

  /** Let go of the connection, until `open`; what it carried waits for that. */
  close() {
    this.#wanted = false;
    this.#drop();
    this.#become("closed");
  }

  /** The network, the page or the machine is back: do not wait, and trust no silent connection. */
  wake() {
    if (!this.#wanted) return;
    if (this.#state === "open") this.#ask();
    else if (!this.#socket) this.#dial();
  }

  /** The network is gone. */
  sleep() {
    if (this.#socket) this.#lost();
  }

  /**
   * Follow a reply. Ends without `ended` where the connection does.
   * @returns {Promise<AsyncIterator<object>>}
   * @throws {Refused} nobody is signed in
   */
  async follow({ id, after, signal, onSign }) {
    do await this.#ready(signal);
    while (this.#state !== "open"); // lost again, before it came to our turn
    const channel = new Channel({ ref: `f${++this.#refs}`, signal, onSign });
    this.#channels.get(id)?.end();
    this.#channels.set(id, channel);
    channel.onLeft = () => {
      if (this.#channels.get(id) !== channel) return;
      this.#channels.delete(id);
      if (!channel.isOver) this.#send({ type: "unfollow", run_id: id });
    };
    this.#send({ type: "follow", ref: channel.ref, run_id: id, after });
    return channel.events();
  }

  #ready(signal) {
    this.open();
    if (this.#state === "open") return Promise.resolve();
    if (this.#state === "refused") return Promise.reject(signedOut());
    if (signal.aborted) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const settle = (done, value) => {
        this.#waiting.delete(one);
        signal.removeEventListener("abort", abort);
        done(value);
      };
      const abort = () => settle(reject, aborted());
      const one = { go: () => settle(resolve), fail: (error) => settle(reject, error) };
      signal.addEventListener("abort", abort);
      this.#waiting.add(one);
    });
  }

  #dial() {
    this.#stopTimer();
    if (this.#state !== "blocked") this.#become("connecting");
    let socket;
    try {
      socket = this.#options.connect(this.#options.url);
    } catch {
      this.#lost(); // a policy forbids it
      return;
    }
    this.#socket = socket;
    this.#later(OPENING_MS, () => this.#lost());
    const isOurs = (task) => (event) => this.#socket === socket && task(event);
    // Only an answer shows that the way is open, and that somebody is signed in.
    socket.onopen = isOurs(() => this.#send({ type: "ping" }));
    socket.onmessage = isOurs(({ data }) => this.#hear(data));
    socket.onclose = isOurs(({ code }) => this.#lost(code));
  }

  #hear(data) {
    this.#heardAt = this.#options.clock.now();
    this.#asked = false;
    if (this.#state !== "open") this.#opened();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (EVENTS.has(message.type)) this.#carry(message);
    else if (message.type === "error") this.#refuse(message);
    else if (message.type === "pong") this.#options.onRevision(message.revision);
    else this.#options.onSync(message);
  }

  #opened() {
    this.#attempt = this.#failures = 0;
    this.#isReachable = false;
    this.#become("open");
    this.#watch();
    for (const one of [...this.#waiting]) one.go();
  }

  #carry(event) {
    const channel = this.#channels.get(event.run_id);
    channel?.push(event);
    if (channel?.isOver) this.#channels.delete(event.run_id);
  }

  #refuse({ ref, error }) {
    for (const [id, channel] of this.#channels) {
      if (channel.ref !== ref) continue;
      this.#channels.delete(id);
      const status = STATUSES[error.code] ?? (error.retryable ? 503 : 422);
      channel.fail(new Refused(status, error));
    }
  }

  /** Look now and then whether the other side is still there. */
  #watch() {
    const { clock } = this.#options;
    this.#later(QUIET_MS - (clock.now() - this.#heardAt), () => {
      const quiet = clock.now() - this.#heardAt >= QUIET_MS;
      if (quiet && (this.#options.isWatched() || this.#channels.size)) this.#ask();
      else if (quiet) this.#later(QUIET_MS, () => this.#watch());
      else this.#watch();
    });
  }

  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    this.#send({ type: "ping" });
    this.#later(ANSWER_MS, () => (this.#asked ? this.#lost() : this.#watch()));
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  /** The connection is gone, or as good as gone. */
  #lost(code) {
    const wasOpen = this.#state === "open";
    this.#drop();
    if (!this.#wanted) return;
    if (code === NOT_SIGNED_IN) {
      this.#askWho();
      return;
    }
    if (code === IDLE && !this.#options.isWatched()) {
      this.#become("closed"); // `wake` comes when somebody looks
      return;
    }
    if (!wasOpen) this.#failures += 1;
    if (this.#isReachable && !wasOpen) this.#block();
    else if (this.#state !== "blocked") this.#become("connecting");
    this.#retryLater();
    if (this.#failures >= BLOCKED_AFTER && this.#state !== "blocked") this.#suspect();
  }

  /** Whoever signed in or changed the password meanwhile is let in again; nobody else is. */
  async #askWho() {
    this.#become("connecting");
    const isKnown = await this.#options.isKnown().catch(() => true); // who cannot be asked may be known
    if (!this.#wanted || this.#socket) return;
    if (isKnown) return this.#retryLater();
    this.#become("refused");
    for (const one of [...this.#waiting]) one.fail(signedOut());
  }

  #retryLater() {
    const { random } = this.#options;
    const blocked = this.#state === "blocked";
    const wait = blocked ? BLOCKED_RETRY_MS * (1 + random()) : backoffMs(this.#attempt++, { random });
    this.#later(wait, () => this.#dial());
  }

  /** Find out whether it is only the sockets that fail: then one more attempt decides. */
  async #suspect() {
    try {
      await this.#options.probe();
    } catch {
      this.#isReachable = false;
      return; // the server is away; nothing follows for sockets
    }
    if (this.#failures < BLOCKED_AFTER || !this.#wanted) return;
    this.#isReachable = true;
    if (!this.#socket) this.#dial();
  }

  #block() {
    this.#become("blocked");
    for (const one of [...this.#waiting]) one.fail(new TypeError("sockets are blocked here"));
  }

  #drop() {
    this.#stopTimer();
    const socket = this.#socket;
    this.#socket = null;
    this.#asked = false;
    if (socket) leave(socket);
    for (const channel of this.#channels.values()) channel.end();
    this.#channels.clear();
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state);
  }

  #later(ms, task) {
    this.#stopTimer();
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = null;
      task();
    }, Math.max(ms, 0));
  }

  #stopTimer() {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** Close a socket; one that still opens is closed then, or the browser complains. */
function leave(socket) {
  if (socket.readyState === 0) socket.onopen = () => socket.close();
  else socket.close();
}

function signedOut() {
  return new Refused(401, {
    code: "not_signed_in",
    message: "You are not signed in.",
    retryable: false,
  });
}
