// One message on the page.

import { ICONS, icon, make } from "./dom.js";
import { MarkdownView } from "./markdown.js";
import { reasoningOf, textOf } from "./reply.js";
import { ThinkingClock } from "./thinking.js";
import { endingOf, figuresOf, remedyOf } from "./words.js";

/** What a person said: shown as it was written. */
export class Question {
  constructor(message) {
    const text = make("div", { className: "question-text", dir: "auto" });
    text.textContent = message.content;
    this.element = make(
      "article",
      { className: "message question", data: { message: message.id }, aria: { label: "You" } },
      text,
    );
  }
}

/** What a model says, growing. */
export class ReplyBubble {
  #text = make("div", { className: "reply-text markdown", dir: "auto" });
  #view = new MarkdownView(this.#text);
  #reasoning = null;
  #caret = make("span", { className: "caret", aria: { hidden: "true" } });
  #notice = make("p", { className: "notice", hidden: true });
  #actions = make("div", { className: "actions", hidden: true });
  #drawn = null;
  #frame = 0;

  /**
   * @param {import("./reply.js").Reply} reply drawn at once: a known text is never shown blank
   * @param {{nameOf: (model: string) => string, onAction: (action: string, reply: object) => void,
   *   onDrawn: () => void}} page
   */
  constructor(reply, page) {
    this.page = page;
    this.isLast = true;
    this.reply = reply;
    this.author = make("p", { className: "author" });
    this.element = make(
      "article",
      { className: "message reply", data: { message: reply.id }, aria: { label: "Reply" } },
      this.author,
      this.#text,
      this.#caret,
      this.#notice,
      this.#actions,
    );
    this.draw();
  }

  /** Take a new state; it is drawn with the next frame. */
  update(reply) {
    this.reply = reply;
    if (this.#frame) return;
    // A hidden page has no frames.
    const soon = document.hidden ? (task) => setTimeout(task, 200) : requestAnimationFrame;
    this.#frame = soon(() => this.draw());
  }

  /** Whether this is the message that one may act on. */
  setLast(isLast) {
    if (this.isLast === isLast) return;
    this.isLast = isLast;
    this.draw();
  }

  draw() {
    this.#frame = 0;
    const { reply } = this;
    const text = textOf(reply);
    this.#drawReasoning(reasoningOf(reply), text);
    this.#view.show(text);
    const running = reply.status === "running";
    const { dataset } = this.element;
    dataset.status = reply.status;
    dataset.cursor = reply.cursor;
    dataset.phase = running ? reply.phase : "";
    this.author.textContent = this.page.nameOf(reply.model);
    this.#caret.hidden = !running;
    if (!running) this.#drawEnd(reply, text);
    else this.#notice.hidden = this.#actions.hidden = true;
    this.page.onDrawn();
  }

  #drawReasoning(reasoning, text) {
    if (!reasoning) return;
    this.#reasoning ??= this.#newReasoning();
    const { details, summary, body, clock } = this.#reasoning;
    clock.see({ running: this.reply.status === "running", spoken: text !== "" });
    if (summary.textContent !== clock.title) summary.textContent = clock.title;
    if (body.data !== reasoning) {
      if (reasoning.startsWith(body.data)) body.appendData(reasoning.slice(body.data.length));
      else body.data = reasoning;
    }
    details.hidden = false;
  }

  #newReasoning() {
    const summary = make("summary");
    const body = document.createTextNode("");
    const details = make(
      "details",
      { className: "reasoning" },
      summary,
      make("div", { className: "reasoning-text", dir: "auto" }, body),
    );
    this.#text.before(details);
    return { details, summary, body, clock: new ThinkingClock() };
  }

  #drawEnd(reply, text) {
    this.#view.finish();
    const figures = figuresOf(reply);
    const { status, reason, retryable } = reply;
    const state = [status, reason, retryable, this.isLast, text !== "", figures].join("/");
    if (this.#drawn === state) {
      this.#notice.hidden = !this.#notice.textContent;
      this.#actions.hidden = false;
      return;
    }
    this.#drawn = state;
    const ending = endingOf(reply) || (text ? "" : "The reply is empty.");
    this.#notice.textContent = ending;
    this.#notice.hidden = !ending;
    this.#actions.hidden = false;
    this.#actions.replaceChildren(...this.#buttons(reply, text));
    if (figures) this.#actions.append(make("span", { className: "figures" }, figures));
  }

  #buttons(reply, text) {
    const buttons = [];
    const remedy = this.isLast ? remedyOf(reply, text !== "") : "";
    if (remedy === "continue") buttons.push(this.#button("continue", "Continue", ICONS.onward));
    if (text) buttons.push(this.#copyButton());
    if (this.isLast) {
      const label = remedy === "retry" ? "Try again" : "Regenerate";
      buttons.push(this.#button("regenerate", label, ICONS.again));
    }
    return buttons;
  }

  #button(action, label, path) {
    const onclick = () => this.page.onAction(action, this.reply);
    return make("button", { type: "button", className: "action", onclick }, icon(path), label);
  }

  #copyButton() {
    const button = this.#button("copy", "Copy", ICONS.copy);
    button.onclick = async () => {
      await navigator.clipboard?.writeText(textOf(this.reply));
      button.replaceChildren(icon(ICONS.done), "Copied");
      setTimeout(() => button.replaceChildren(icon(ICONS.copy), "Copy"), 1500);
    };
    return button;
  }
}
