// Server-Sent Events, parsed as they come in.
// Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

const BOM = "\uFEFF";

/** Turns pieces of an event stream, cut anywhere, into whole events. */
export class SseParser {
  /** The id of the last event that had one; an event without `id` leaves it as it is. */
  lastId = "";
  /** What the server said in `retry`, in milliseconds; null before it said anything. */
  retryMs = null;

  #pending = "";
  #begun = false;
  #afterCr = false;
  #event = "";
  #data = [];
  #idBuffer = "";

  /**
   * Take the next piece of the decoded stream.
   * @param {string} piece
   * @returns {{event: string, data: string, id: string}[]} the events that it completed
   */
  push(piece) {
    const events = [];
    this.#pending += this.#withoutBom(piece);
    for (let line = this.#takeLine(); line !== null; line = this.#takeLine()) {
      const event = this.#take(line);
      if (event) events.push(event);
    }
    return events;
  }

  #withoutBom(piece) {
    if (this.#begun || piece === "") return piece;
    this.#begun = true;
    return piece.startsWith(BOM) ? piece.slice(1) : piece;
  }

  #takeLine() {
    // A CR at the end of a piece ends its line at once; an LF that follows belongs to it.
    if (this.#afterCr && this.#pending !== "") {
      if (this.#pending.startsWith("\n")) this.#pending = this.#pending.slice(1);
      this.#afterCr = false;
    }
    const end = this.#pending.search(/[\r\n]/);
    if (end < 0) return null;
    const line = this.#pending.slice(0, end);
    this.#afterCr = this.#pending[end] === "\r";
    this.#pending = this.#pending.slice(end + 1);
    return line;
  }

  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#idBuffer = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  #dispatch() {
    const [event, data] = [this.#event || "message", this.#data];
    [this.#event, this.#data] = ["", []];
    this.lastId = this.#idBuffer;
    return data.length ? { event, data: data.join("\n"), id: this.lastId } : null;
  }
}
