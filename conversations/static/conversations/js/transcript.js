// The messages of one conversation, kept by their ids: what is shown is never built anew.

import { ReplyBubble } from "./bubble.js";
import { make } from "./dom.js";
import { gettext } from "./i18n.js";
import { Question } from "./question.js";
import { adopt, replyFrom } from "./reply.js";
import { inSlices, isSpent } from "./slices.js";
import { versionsOf } from "./tree.js";

export class Transcript {
  #bubbles = new Map();
  #left = [];
  #below = null;
  #live = null;
  #versions = new Map();
  #empty = make("p", { className: "empty-note" }, gettext("Nothing is said here yet."));

  /** @param {import("./actions.js").Page} page */
  constructor(page) {
    this.page = page;
    this.element = make("div", { className: "messages" });
  }

  get isEmpty() {
    return this.#bubbles.size === 0;
  }

  /**
   * Show the branch of a tree: keep what is there, add what is new, take away what is not in it.
   * Of many the last are there at once, the others soon.
   * @param {import("./tree.js").Tree} tree
   * @param {import("./reply.js").Reply} [live] the state of the reply that is being followed
   */
  show({ branch, messages }, live) {
    const ids = new Set(branch.map((message) => message.id));
    for (const [id, bubble] of this.#bubbles) {
      if (ids.has(id)) continue;
      bubble.element.remove();
      this.#bubbles.delete(id);
    }
    const isFilling = this.#left.length > 0;
    [this.#left, this.#below] = [[...branch], null];
    [this.#live, this.#versions] = [live, versionsOf(messages)];
    if (branch.length) this.#empty.remove();
    else this.element.append(this.#empty);
    if (this.#fill() && !isFilling) inSlices(() => this.#fill());
  }

  /** Put messages into their places, from the last up; says whether some are left. */
  #fill() {
    const begun = performance.now();
    while (this.#left.length && !isSpent(begun)) this.#place(this.#left.pop());
    return this.#left.length > 0;
  }

  #place(message) {
    const bubble = this.#shown(message);
    bubble.branches.show(message.id, this.#versions.get(message.id));
    bubble.setLast?.(!this.#below);
    const { element } = bubble;
    if (element.nextSibling !== this.#below || !element.parentNode) {
      this.element.insertBefore(element, this.#below);
    }
    this.#below = element;
  }

  /** Draw every reply again: something that all of them show is known now. */
  redraw() {
    for (const bubble of this.#bubbles.values()) bubble.draw?.();
  }

  /** The bubble of a message; undefined where it is not in the branch that is shown. */
  of(id) {
    while (!this.#bubbles.has(id) && this.#left.some((message) => message.id === id)) {
      this.#place(this.#left.pop());
    }
    return this.#bubbles.get(id);
  }

  /** Whether a question is being written anew. */
  get isEdited() {
    return [...this.#bubbles.values()].some((bubble) => bubble.isEdited);
  }

  /** The bubbles from the first to the last. */
  get all() {
    const shown = [...this.element.children].map(({ dataset }) => this.of(dataset.message));
    return shown.filter(Boolean);
  }

  /** The bubble of a message, brought up to date; a followed reply is ahead of what is stored. */
  #shown(message) {
    const isReply = message.role === "assistant";
    const live = this.#live?.id === message.id ? this.#live : null;
    const known = this.#bubbles.get(message.id);
    if (known) {
      if (isReply && !live) known.update(adopt(known.reply, message));
      return known;
    }
    const bubble = isReply
      ? new ReplyBubble(live ?? replyFrom(message), this.page, { isLast: !this.#below })
      : new Question(message, this.page);
    this.#bubbles.set(message.id, bubble);
    return bubble;
  }
}
