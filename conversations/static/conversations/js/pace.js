// When to draw growing text: with each frame while that is cheap, more rarely when it is not.

const SHARE = 1 / 50;
const LONGEST_MS = 250;
const FRAME_MS = 16;
const HIDDEN_MS = 200;

/** How long to wait after a draw so that drawing takes a small share of the time. */
export function restAfter(costMs) {
  const rest = costMs / SHARE;
  return rest < FRAME_MS ? 0 : Math.min(rest, LONGEST_MS);
}

/** Draws at its own pace, on one element. */
export class Pace {
  #draw;
  #waiting = false;
  #rest = 0;
  #drawn = 0;

  /** @param {() => void} draw */
  constructor(draw) {
    this.#draw = draw;
  }

  /**
   * There is something to draw.
   * @param {{urgent?: boolean}} options `urgent`: with the next frame
   */
  ask({ urgent = false } = {}) {
    if (this.#waiting && !urgent) return;
    this.#waiting = true;
    // A hidden page has no frames.
    const rest = document.hidden ? HIDDEN_MS : this.#drawn + this.#rest - performance.now();
    if (document.hidden) setTimeout(() => this.#now(), rest);
    else if (urgent || rest < FRAME_MS) requestAnimationFrame(() => this.#now());
    else setTimeout(() => requestAnimationFrame(() => this.#now()), rest - FRAME_MS);
  }

  #now() {
    if (!this.#waiting) return;
    const begun = performance.now();
    this.#waiting = false;
    this.#draw();
    this.#drawn = performance.now();
    this.#rest = restAfter(this.#drawn - begun);
  }
}
