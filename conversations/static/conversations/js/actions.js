// The row of buttons below a message. Each is made once and hidden where it does not apply, so that
// whoever is on one of them stays there.

import { BranchSwitch } from "./branches.js";
import { copyText } from "./clipboard.js";
import { ICONS, icon, make } from "./dom.js";
import { figuresOf } from "./figures.js";
import { gettext } from "./i18n.js";
import { menuButton } from "./menu.js";
import { showDetails } from "./ondemand.js";
import { Rating } from "./rating.js";
import { textOf } from "./reply.js";

const BELOW = "M7 10l5 5 5-5";
const MORE = [5, 12, 19].map((x) => `M${x - 1} 12a1 1 0 1 0 2 0a1 1 0 1 0-2 0`).join("");
const SAID_MS = 1500;

/**
 * @typedef {object} Page what messages tell the page
 * @property {(model: string) => string} nameOf
 * @property {() => {id: string, name: string}[]} models
 * @property {(action: string, message: object, detail?: any) => void} onAction `continue`,
 *   `regenerate` (with a model), `reconnect`, `edit` (with a text), `delete`, `rate` (with
 *   what is thought of it), and `choose` (with the id of a version and the way to it)
 * @property {(error: Error) => void} onTrouble
 */

/** What one can do with a question. */
export class QuestionActions {
  /**
   * @param {object} message
   * @param {Page} page
   * @param {() => void} onEdit
   */
  constructor(message, page, onEdit) {
    this.branches = switchOf(page, () => message);
    this.edit = button(gettext("Edit"), ICONS.pen, onEdit);
    this.element = make(
      "div",
      { className: "actions" },
      this.branches.element,
      copyButton(() => message.content),
      this.edit,
      button(gettext("Delete"), ICONS.bin, () => page.onAction("delete", message)),
    );
  }
}

/** What one can do with a reply that has ended. */
export class ReplyActions {
  #regenerate;
  #other;
  #copy;
  #rating;
  #figures = make("span", { className: "figures" });

  /**
   * @param {() => import("./reply.js").Reply} read
   * @param {Page} page
   */
  constructor(read, page) {
    this.page = page;
    this.branches = switchOf(page, read);
    this.#copy = copyButton(() => textOf(read()));
    this.#copy.classList.add("copy-reply");
    this.#regenerate = button(gettext("Regenerate"), ICONS.again, () =>
      page.onAction("regenerate", read()),
    );
    this.#other = menuButton({
      label: gettext("Regenerate with another model"),
      path: BELOW,
      className: "action action-more",
      items: () => page.models().map((model) => this.#choice(model, read)),
    });
    this.#rating = new Rating({
      id: read().id,
      onRated: (given) => page.onAction("rate", read(), given),
      onTrouble: page.onTrouble,
    });
    const more = menuButton({
      label: gettext("More about this reply"),
      path: MORE,
      className: "action",
      items: () => [
        { label: gettext("Details"), run: () => showDetails(read(), page.nameOf) },
        { label: gettext("Delete"), danger: true, run: () => page.onAction("delete", read()) },
      ],
    });
    this.element = make(
      "div",
      { className: "actions" },
      this.branches.element,
      this.#copy,
      this.#regenerate,
      this.#other,
      ...this.#rating.thumbs,
      more,
      this.#rating.remark,
      this.#figures,
    );
  }

  /** Offer what fits this end; `retries`: asking again is offered beside the words for it. */
  show(reply, { hasText, retries }) {
    this.#copy.hidden = !hasText;
    this.#regenerate.hidden = retries;
    this.#other.hidden = this.page.models().length < 2;
    this.#rating.show(reply);
    this.#figures.textContent = figuresOf(reply);
  }

  #choice({ id, name }, read) {
    const run = () => this.page.onAction("regenerate", read(), id);
    return { label: name, checked: id === read().model, run };
  }
}

/** A button of the row, and of the words above it. */
export function button(label, path, onclick) {
  const shown = make("span", { className: "action-label" }, label);
  const title = label;
  return make("button", { type: "button", className: "action", title, onclick }, icon(path), shown);
}

function switchOf(page, read) {
  return new BranchSwitch((id, step) => page.onAction("choose", read(), { id, step }));
}

function copyButton(read) {
  const copy = button(gettext("Copy"), ICONS.copy, async () => {
    const copied = await copyText(read());
    say(copied ? ICONS.done : ICONS.copy, copied ? gettext("Copied") : gettext("Cannot copy here"));
    setTimeout(() => say(ICONS.copy, gettext("Copy")), SAID_MS);
  });
  function say(path, label) {
    copy.querySelector("svg").replaceWith(icon(path));
    copy.querySelector(".action-label").textContent = label;
  }
  return copy;
}
