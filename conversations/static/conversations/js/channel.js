// The events of one reply out of many on a socket.

import { aborted } from "./clock.js";

export class Channel {
  /** Called when its reader is done with it. */
  onLeft = () => {};
  /** Whether nothing more comes for it, so that nobody need be told that its reader left. */
  isOver = false;

  #queue = [];
  #begun = false;
  #error = null;
  #tell = () => {};

  /**
   * @param {{ref: string, signal: AbortSignal, onSign: () => void}} options
   */
  constructor({ ref, signal, onSign }) {
    this.ref = ref;
    this.signal = signal;
    this.onSign = onSign;
  }

  /** Take an event; what comes before `started` belonged to an earlier reader. */
  push(event) {
    this.#begun ||= event.type === "started";
    if (!this.#begun || this.isOver) return;
    this.onSign();
    this.#queue.push(event);
    if (event.type === "ended") this.isOver = true;
    this.#tell();
  }

  /** Nothing more comes. */
  end() {
    this.isOver = true;
    this.#tell();
  }

  /** Nothing more comes, because of an error. */
  fail(error) {
    this.#error = error;
    this.end();
  }

  async *events() {
    const { signal } = this;
    const abort = () => this.fail(aborted());
    // An abort tells the server; a channel that ended has nobody to tell.
    const left = () => {
      if (!this.isOver) this.onLeft();
      abort();
    };
    signal.addEventListener("abort", left);
    try {
      for (;;) {
        if (signal.aborted) throw aborted();
        while (this.#queue.length) yield this.#queue.shift();
        if (this.#error) throw this.#error;
        if (this.isOver) return;
        await new Promise((resolve) => (this.#tell = resolve));
      }
    } finally {
      signal.removeEventListener("abort", left);
      this.onLeft();
    }
  }
}
