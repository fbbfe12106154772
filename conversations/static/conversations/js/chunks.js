// The blocks of a long text in containers: the browser passes over those that nobody sees.

import { make } from "./dom.js";

const FULL = 2000;
const LINE = 85;
const GAP = 0.5;
// What follows these has its distance from them, which two containers would add up.
const JOINED = new Set(["heading", "hr"]);

export class Chunks {
  #element;
  #current = null;
  #size = 0;
  #lines = 0;
  #before = "";

  /** @param {HTMLElement} element holds nothing else */
  constructor(element) {
    this.#element = element;
  }

  /** Where the last block stands. */
  get current() {
    return this.#current ?? this.#begin();
  }

  /** Where a block that follows all others belongs. */
  next() {
    const isFull = this.#size >= FULL && !JOINED.has(this.#before);
    return isFull ? this.#begin() : this.current;
  }

  /** A block that stands in the current container is finished. */
  count({ type, raw }) {
    this.#size += raw.length;
    this.#lines += linesOf(raw);
    this.#before = type;
  }

  /** Take everything away. */
  clear() {
    this.#element.replaceChildren();
    [this.#current, this.#size] = [null, 0];
  }

  #begin() {
    // How high it is, roughly, for as long as it was never drawn.
    const height = `auto ${Math.round(this.#lines)}lh`;
    if (this.#current) this.#current.style.containIntrinsicBlockSize = height;
    this.#current = make("div", { className: "chunk" });
    [this.#size, this.#lines, this.#before] = [0, 0, ""];
    this.#element.append(this.#current);
    return this.#current;
  }
}

/** About how many lines the Markdown of a block fills, with the room around it. */
function linesOf(raw) {
  const lengths = raw.trimEnd().split("\n").map((line) => Math.ceil(line.length / LINE));
  return lengths.reduce((sum, lines) => sum + lines, GAP);
}
