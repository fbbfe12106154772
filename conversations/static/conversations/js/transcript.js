// The messages of one conversation, kept by their ids: what is shown is never built anew.

import { Question, ReplyBubble } from "./bubble.js";
import { make } from "./dom.js";
import { adopt, replyFrom } from "./reply.js";

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
      const bubble = this.#shown(message);
      const place = before ? before.nextSibling : this.element.firstChild;
      if (bubble.element !== place) this.element.insertBefore(bubble.element, place);
      before = bubble.element;
    }
    this.#markLast();
  }

  /** Add a question below the others. */
  addQuestion(question) {
    this.#append(question.id, new Question(question));
  }

  /** Add a reply below the others, with the text that is known. */
  addReply(reply) {
    this.#append(reply.id, new ReplyBubble(reply, this.page));
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

  /** The bubble of a stored message, brought up to date. */
  #shown(message) {
    const isReply = message.role === "assistant";
    const known = this.#bubbles.get(message.id);
    if (known) {
      if (isReply) known.update(adopt(known.reply, message));
      return known;
    }
    const bubble = isReply
      ? new ReplyBubble(replyFrom(message), this.page)
      : new Question(message);
    this.#bubbles.set(message.id, bubble);
    return bubble;
  }

  #append(id, bubble) {
    this.#bubbles.set(id, bubble);
    this.element.append(bubble.element);
    this.#markLast();
  }

  #markLast() {
    const { last } = this;
    for (const bubble of this.#bubbles.values()) bubble.setLast?.(bubble === last);
  }
}
