// Follows growing text only for a reader who is at its end.

const NEAR_PX = 48;

export class PoliteScroll {
  #viewport;
  #jump;
  #pinned = true;
  #scheduled = false;

  /**
   * @param {HTMLElement} viewport scrolls
   * @param {HTMLButtonElement} jump leads back to the end
   */
  constructor(viewport, jump) {
    this.#viewport = viewport;
    this.#jump = jump;
    viewport.addEventListener("scroll", () => this.#look(), { passive: true });
    jump.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.follow()).observe(viewport);
  }

  /** The text has grown. */
  follow() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#pinned) this.#viewport.scrollTop = this.#viewport.scrollHeight;
      this.#show();
    });
  }

  /** Go to the end and stay there. */
  toEnd() {
    this.#pinned = true;
    this.follow();
  }

  /**
   * Change what is shown while one thing stays where it is on the screen.
   * @param {HTMLElement} element
   * @param {() => HTMLElement} change returns what stands in its place
   */
  steady(element, change) {
    const before = element.getBoundingClientRect().top;
    this.#pinned = false;
    this.#viewport.scrollTop += change().getBoundingClientRect().top - before;
    this.#look();
  }

  /** Stay where the reader was led to. */
  letGo() {
    this.#pinned = false;
  }

  #look() {
    this.#pinned = this.#distance() < NEAR_PX;
    this.#show();
  }

  #show() {
    this.#jump.hidden = this.#pinned || this.#distance() < NEAR_PX * 2;
  }

  #distance() {
    const { scrollHeight, scrollTop, clientHeight } = this.#viewport;
    return scrollHeight - scrollTop - clientHeight;
  }
}
