// Says quietly what is going on, and aloud what went wrong.

import { byId, make } from "./dom.js";
import { gettext } from "./i18n.js";

const PATIENCE_MS = 400;

export class StatusLine {
  #line = byId("status-line");
  #spoken = byId("status");
  #alert = byId("alert");
  #timer = 0;
  #wanted = "";

  /** Show what is going on, unless it is over in a moment; empty for nothing. */
  say(text) {
    if (text === this.#wanted) return;
    this.#wanted = text;
    clearTimeout(this.#timer);
    if (!text) this.#line.textContent = "";
    else this.#timer = setTimeout(() => (this.#line.textContent = text), PATIENCE_MS);
  }

  /** Say something to a screen reader only. */
  announce(text) {
    this.#spoken.textContent = text;
  }

  /** Say aloud what went wrong. */
  alarm(text, ...more) {
    const close = make("button", {
      type: "button",
      className: "alert-close",
      textContent: gettext("Dismiss"),
      onclick: () => this.calm(),
    });
    this.#alert.replaceChildren(make("span", {}, text, ...more), close);
    this.#alert.hidden = false;
  }

  calm() {
    this.#alert.hidden = true;
    this.#alert.replaceChildren();
  }
}
