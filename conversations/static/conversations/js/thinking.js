// How long a model thought before it spoke, as far as it was seen here.

import { gettext, interpolate, ngettext } from "./i18n.js";

export class ThinkingClock {
  #now;
  #begun = null;
  #seconds = null;
  /** What the folded reasoning is called. */
  title = "";

  /** @param {() => number} now milliseconds */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Take notice of a reply that has reasoning.
   * @param {{running: boolean, spoken: boolean}} reply `spoken`: there is text behind the reasoning
   */
  see({ running, spoken }) {
    const thinking = running && !spoken;
    if (thinking) this.#begun ??= this.#now();
    else if (this.#begun !== null) this.#seconds ??= (this.#now() - this.#begun) / 1000;
    this.title = thinking ? gettext("Thinking…") : this.#past();
  }

  #past() {
    if (this.#seconds === null) return gettext("Reasoning");
    const seconds = Math.max(1, Math.round(this.#seconds));
    if (seconds < 60) {
      return interpolate(ngettext("Thought for %s second", "Thought for %s seconds", seconds), [seconds]);
    }
    const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
    return interpolate(gettext("Thought for %s min %s s"), [minutes, rest]);
  }
}
