// ‹ 2/3 ›: leads from one version of a message to the others.

import { icon, make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";

const PREVIOUS = "M14 7l-5 5 5 5";
const NEXT = "M10 7l5 5-5 5";
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

export class BranchSwitch {
  #ids = [];
  #at = 0;
  #count = make("span", { className: "branch-count" });
  #buttons;

  /** @param {(id: string, step: number) => void} onChoose told the version, and the way to it */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.#buttons = {
      [-1]: this.#button(gettext("Previous version"), PREVIOUS, -1),
      1: this.#button(gettext("Next version"), NEXT, 1),
    };
    this.element = make(
      "div",
      { className: "branches", role: "group", hidden: true, on: { keydown: (e) => this.#key(e) } },
      this.#buttons[-1],
      this.#count,
      this.#buttons[1],
    );
  }

  /** Show which of its versions a message is; nothing where it has only one. */
  show(id, ids = [id]) {
    [this.#ids, this.#at] = [ids, ids.indexOf(id)];
    this.element.hidden = ids.length < 2;
    const place = { number: this.#at + 1, count: ids.length };
    this.#count.textContent = `${place.number}/${place.count}`;
    const label = interpolate(gettext("Version %(number)s of %(count)s"), place);
    this.element.setAttribute("aria-label", label);
    for (const [step, button] of Object.entries(this.#buttons)) {
      // Not `disabled`: the focus would be lost at the first and the last version.
      button.setAttribute("aria-disabled", String(!ids[this.#at + Number(step)]));
    }
  }

  /** Put the focus on the button of a way. */
  focus(step) {
    this.#buttons[step].focus({ preventScroll: true });
  }

  #button(label, path, step) {
    return make(
      "button",
      {
        type: "button",
        className: "branch-button",
        title: label,
        aria: { label },
        onclick: () => this.#go(step),
      },
      icon(path),
    );
  }

  #go(step) {
    const id = this.#ids[this.#at + step];
    if (id) this.onChoose(id, step);
  }

  #key(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    this.#go(step);
  }
}
