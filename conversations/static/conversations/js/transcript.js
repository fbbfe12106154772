// The messages of one conversation, kept by their ids: what is shown is never built anew.

import { Question, ReplyBubble } from "./bubble.js";
import { make } from "./dom.js";
import { adopt } from "./reply.js";

export class Transcript {
  #bubbles = new Map();

  /** @param {object} page see `ReplyBubble` */
  constructor(page) {
    this.page = page;
    this.element = make("div", { className: "messages" });
  }

  get isEmpty() {
    return this.#bubbles.size === 0;
  }

  /** Show this branch: keep what is there, add what is new, take away what is not in it. */
  show(branch) {
    const ids = new Set(branch.map((message) => message.id));
    for (const id of this.#bubbles.keys()) if (!ids.has(id)) this.remove(id);
    let before = null;
    for (const message of branch) {
      const bubble = this.#bubbleOf(message);
      if (message.role === "assistant") bubble.update(adopt(bubble.reply, message));
      const place = before ? before.nextSibling : this.element.firstChild;
      if (bubble.element !== place) this.element.insertBefore(bubble.element, place);
      before = bubble.element;
    }
    this.#markLast();
  }

  /** Add a message below the others. */
  add(message) {
    const bubble = this.#bubbleOf(message);
    this.element.append(bubble.element);
    this.#markLast();
    return bubble;
  }

  remove(id) {
    this.#bubbles.get(id)?.element.remove();
    this.#bubbles.delete(id);
    this.#markLast();
  }

  /** Draw every reply again: something that all of them show is known now. */
  redraw() {
    for (const bubble of this.#bubbles.values()) bubble.draw?.();
  }

  /** The bubble of a reply. */
  reply(id) {
    return this.#bubbles.get(id);
  }

  /** The last bubble; undefined where there is none. */
  get last() {
    return [...this.#bubbles.values()].at(-1);
  }

  #bubbleOf(message) {
    let bubble = this.#bubbles.get(message.id);
    if (!bubble) {
      const isReply = message.role === "assistant";
      bubble = isReply ? new ReplyBubble(message.id, this.page) : new Question(message);
      this.#bubbles.set(message.id, bubble);
    }
    return bubble;
  }

  #markLast() {
    const { last } = this;
    for (const bubble of this.#bubbles.values()) bubble.setLast?.(bubble === last);
  }
}
