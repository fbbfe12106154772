// What a reader thinks of a reply: thumbs up or down, and a line about it.

import { again } from "./again.js";
import { ask } from "./api.js";
import { icon, make } from "./dom.js";
import { gettext } from "./i18n.js";
import { askRemark } from "./ondemand.js";

const THUMB =
  "M7 10.5V20H4v-9.5zM7 10.5L11 3a2 2 0 0 1 2 2v4.5h5a1.6 1.6 0 0 1 1.6 1.9l-1.3 7.2" +
  "A1.7 1.7 0 0 1 16.6 20H7";

export class Rating {
  #id;
  #given = { rating: 0, comment: "" };
  #queue = Promise.resolve();
  #thumbs;

  /**
   * @param {{id: string, onRated: (given: {rating: number, comment: string}) => void,
   *   onTrouble: (error: Error) => void}} options `id` is the reply's
   */
  constructor({ id, onRated, onTrouble }) {
    this.#id = id;
    this.onRated = onRated;
    this.onTrouble = onTrouble;
    this.#thumbs = {
      1: this.#thumb(1, gettext("Good reply"), "action thumb"),
      [-1]: this.#thumb(-1, gettext("Bad reply"), "action thumb thumb-down"),
    };
    this.remark = make(
      "button",
      { type: "button", className: "action", hidden: true, onclick: () => this.#comment() },
      gettext("Comment"),
    );
    this.thumbs = [this.#thumbs[1], this.#thumbs[-1]];
  }

  /** Show what is stored. */
  show({ rating, comment }) {
    this.#given = { rating, comment };
    for (const [value, button] of Object.entries(this.#thumbs)) {
      button.setAttribute("aria-pressed", String(Number(value) === rating));
    }
    this.remark.hidden = rating === 0;
    this.remark.textContent = comment ? gettext("Edit the comment") : gettext("Comment");
  }

  // Whatever draws the reply next has to know it, too.
  #become({ rating, comment }) {
    this.show({ rating, comment });
    this.onRated({ rating, comment });
  }

  #thumb(value, label, className) {
    const onclick = () => this.#give({ rating: this.#given.rating === value ? 0 : value });
    return make(
      "button",
      { type: "button", className, title: label, aria: { label, pressed: "false" }, onclick },
      icon(THUMB),
    );
  }

  async #comment() {
    const said = await askRemark(this.#given);
    if (said != null) this.#give({ rating: this.#given.rating, comment: said });
  }

  // One after another: the last word stands, here and on the server.
  #give(body) {
    this.#queue = this.#queue.then(() => this.#keep(body));
  }

  async #keep(body) {
    const before = this.#given;
    this.#become({ ...before, ...body });
    try {
      const path = `/api/messages/${this.#id}/feedback`;
      this.#become(await again(() => ask(path, { method: "POST", body }), { attempts: 3 }));
    } catch (error) {
      this.#become(before);
      this.onTrouble(error);
    }
  }
}
