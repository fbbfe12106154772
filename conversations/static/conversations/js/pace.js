// When to draw growing text: with each frame while that is cheap and the text short, else more rarely.

const SHARE = 1 / 50;
const LONGEST_MS = 250;
// Nobody follows a long text letter by letter.
const CHARACTERS_PER_MS = 40;
const FRAME_MS = 16;
const HIDDEN_MS = 200;

/** How long to wait after a draw of so many characters, so that drawing takes a small share of the time. */
export function restAfter(costMs, length = 0) {
  const rest = Math.max(costMs / SHARE, length / CHARACTERS_PER_MS);
  // However dear a draw is, most of the time is left to the page.
  return rest < FRAME_MS ? 0 : Math.max(Math.min(rest, LONGEST_MS), costMs * 2);
}

/** Draws at its own pace, on one element. */
export class Pace {
  #draw;
  #length = 0;
  #waiting = false;
  #rest = 0;
  #drawn = 0;

  /** @param {() => void} draw */
  constructor(draw) {
    this.#draw = draw;
  }

  /**
   * There is something to draw.
   * @param {{urgent?: boolean, length?: number}} options `urgent`: with the next frame; `length` of all
   */
  ask({ urgent = false, length = 0 } = {}) {
    this.#length = length;
    if (this.#waiting && !urgent) return;
    this.#waiting = true;
    // A hidden page has no frames. After a rest none is waited for: what follows from the draw, as
    // scrolling does, is then part of the next frame and takes no other.
    const rest = document.hidden ? HIDDEN_MS : this.#drawn + this.#rest - performance.now();
    if (!document.hidden && (urgent || rest < FRAME_MS)) requestAnimationFrame(() => this.#now());
    else setTimeout(() => this.#now(), rest);
  }

  #now() {
    if (!this.#waiting) return;
    const begun = performance.now();
    this.#waiting = false;
    this.#draw();
    this.#drawn = performance.now();
    this.#rest = restAfter(this.#drawn - begun, this.#length);
  }
}
