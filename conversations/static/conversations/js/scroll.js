// Follows growing text only for a reader who is at its end.

const NEAR_PX = 48;
const HOLD_MS = 300;
// Browsers do not always tell that a scroll bar was let go.
const GRIP_MS = 2000;
const UPWARDS = new Set(["ArrowUp", "PageUp", "Home", " "]);

export class PoliteScroll {
  #viewport;
  #jump;
  #pinned = true;
  #scheduled = false;
  #at = 0;
  #held = false;
  #holdTimer = 0;
  #text = null;
  // Told in the frame that is being drawn, when everything has its place.
  #sizes = new ResizeObserver(() => this.follow());

  /**
   * @param {HTMLElement} viewport scrolls
   * @param {HTMLButtonElement} jump leads back to the end
   */
  constructor(viewport, jump) {
    this.#viewport = viewport;
    this.#jump = jump;
    viewport.addEventListener("scroll", () => this.#look(), { passive: true });
    this.#heedHands();
    jump.addEventListener("click", () => {
      this.toEnd();
      viewport.focus(); // the button goes, and would take the focus with it
    });
    this.#sizes.observe(viewport);
  }

  /** Show a text, which may grow: because of what is said, or since what comes into sight is drawn. */
  show(text) {
    this.#viewport.replaceChildren(text);
    if (this.#text) this.#sizes.unobserve(this.#text);
    this.#text = text;
    this.#sizes.observe(text);
  }

  /** Something has changed its size. */
  follow() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#heedPlace();
      if (this.#pinned && !this.#held) this.#goToEnd();
      this.#show();
    });
  }

  /** Go to the end and stay there. */
  toEnd() {
    this.#pinned = true;
    this.#held = false;
    this.#at = 0;
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

  /** While somebody moves the text, or marks some of it, it is not moved from under their hands. */
  #heedHands() {
    const listen = (type, heed) => this.#viewport.addEventListener(type, heed, { passive: true });
    listen("wheel", ({ deltaY }) => deltaY < 0 && this.#hold());
    listen("keydown", ({ key }) => UPWARDS.has(key) && this.#hold());
    for (const type of ["touchstart", "touchmove", "pointerdown", "pointermove"]) {
      listen(type, ({ buttons }) => buttons !== 0 && this.#hold(GRIP_MS));
    }
    for (const type of ["touchend", "touchcancel", "pointerup", "pointercancel"]) {
      globalThis.addEventListener(type, () => this.#held && this.#hold(), { passive: true });
    }
  }

  #hold(ms = HOLD_MS) {
    clearTimeout(this.#holdTimer);
    this.#held = true;
    this.#holdTimer = setTimeout(() => {
      this.#held = false;
      this.follow();
    }, ms);
  }

  /** The reader may have left the end already, of which the event is still to come. */
  #heedPlace() {
    if (!this.#pinned || this.#at - this.#viewport.scrollTop < NEAR_PX) return;
    this.#pinned = this.#distance() < NEAR_PX;
  }

  #goToEnd() {
    const { scrollHeight, clientHeight } = this.#viewport;
    this.#viewport.scrollTop = scrollHeight;
    this.#at = scrollHeight - clientHeight;
  }

  #look() {
    const isNear = this.#distance() < NEAR_PX;
    // What has grown since is not what the reader has moved by.
    const hasStayed = this.#pinned && this.#at - this.#viewport.scrollTop < NEAR_PX;
    this.#pinned = isNear || hasStayed;
    if (isNear) this.#at = this.#viewport.scrollTop;
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
