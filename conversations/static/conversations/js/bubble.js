// What a model says, on the page: growing, then with its end and what one can do with it.

import { ReplyActions, button } from "./actions.js";
import { ICONS, make } from "./dom.js";
import { gettext } from "./i18n.js";
import { MarkdownView } from "./markdown.js";
import { Pace } from "./pace.js";
import { reasoningOf, textOf } from "./reply.js";
import { ThinkingClock } from "./thinking.js";
import { REMEDIES, endingOf, lossOf, remedyOf } from "./words.js";

const PATIENCE_MS = 1500;
const STILL_MS = 1000;
const SIGNS = { continue: ICONS.onward, retry: ICONS.again, reconnect: ICONS.again };
const DEEDS = { continue: "continue", retry: "regenerate", reconnect: "reconnect" };

export class ReplyBubble {
  #text = make("div", { className: "reply-text markdown", dir: "auto" });
  // The page keeps to its place with each part: of several in one frame it could not tell a reader's move.
  #view = new MarkdownView(this.#text, () => this.draw(), () => this.page.onGrown());
  #reasoning = null;
  #caret = make("span", { className: "caret", aria: { hidden: "true" } });
  #words = make("span");
  #remedy = make("span", { className: "remedy" });
  #notice = make("div", { className: "notice", hidden: true }, this.#words, this.#remedy);
  #actions;
  #pace = new Pace(() => {
    this.draw();
    this.page.onGrown();
  });
  #loss = "";
  #lost = "";
  #patience = 0;
  #stillness = 0;

  /**
   * @param {import("./reply.js").Reply} reply drawn at once: a known text is never shown blank
   * @param {import("./actions.js").Page} page
   * @param {{isLast?: boolean}} options `isLast`: one may go on from this message
   */
  constructor(reply, page, { isLast = true } = {}) {
    this.page = page;
    this.isLast = isLast;
    this.reply = reply;
    this.author = make("p", { className: "author" });
    this.#actions = new ReplyActions(() => this.reply, page);
    this.#actions.element.hidden = true;
    this.element = make(
      "article",
      {
        className: "message reply",
        data: { message: reply.id },
        aria: { label: gettext("Reply") },
      },
      this.author,
      this.#text,
      this.#caret,
      this.#notice,
      this.#actions.element,
    );
    this.draw();
  }

  get branches() {
    return this.#actions.branches;
  }

  /** Take a new state; it is drawn soon, an end at once. */
  update(reply) {
    this.reply = reply;
    const length = reply.parts.reduce((sum, { text }) => sum + text.length, 0);
    this.#pace.ask({ urgent: reply.status !== "running", length });
  }

  /** Its reader has judged it; the row of buttons shows that already. */
  rated(given) {
    this.reply = { ...this.reply, ...given };
  }

  /** Whether this is the message that one may go on from. */
  setLast(isLast) {
    if (this.isLast === isLast) return;
    this.isLast = isLast;
    this.draw();
  }

  /** Take how the reply is followed; a loss is said once it has lasted. */
  setConnection(connection) {
    const loss = lossOf(connection);
    if (loss === this.#lost) return;
    this.#lost = loss;
    clearTimeout(this.#patience);
    const draw = () => {
      this.#loss = loss;
      this.draw();
    };
    if (loss && !this.#loss) this.#patience = setTimeout(draw, PATIENCE_MS);
    else if (loss !== this.#loss) draw();
  }

  draw() {
    const { reply } = this;
    const text = textOf(reply);
    this.#drawReasoning(reasoningOf(reply), text);
    const running = reply.status === "running";
    this.author.textContent = this.page.nameOf(reply.model);
    this.#caret.hidden = !running;
    if (running && reply.phase === "streaming" && reply.cursor !== this.element.dataset.cursor) this.#still();
    // Of a long text the rest comes soon, and then what is said below it.
    if (!this.#view.show(text, { whole: !running })) return;
    const { dataset } = this.element;
    dataset.status = reply.status;
    dataset.cursor = reply.cursor;
    dataset.phase = running ? reply.phase : "";
    if (running) this.#say(this.#loss, this.#loss ? "reconnect" : "");
    else this.#drawEnd(reply, text !== "");
    this.#actions.element.hidden = running;
  }

  /** Text that grows shows by itself that it lives; what moves costs sixty frames a second. */
  #still() {
    clearTimeout(this.#stillness);
    this.#caret.classList.add("still");
    this.#stillness = setTimeout(() => this.#caret.classList.remove("still"), STILL_MS);
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

  #drawEnd(reply, hasText) {
    const remedy = remedyOf(reply, hasText);
    const offered = remedy === "continue" && !this.isLast ? "" : remedy;
    this.#say(endingOf(reply) || (hasText ? "" : gettext("The reply is empty.")), offered);
    this.#actions.show(reply, { hasText, retries: offered === "retry" });
  }

  /** Say something below the text, with what one can do about it. */
  #say(words, remedy) {
    this.#notice.hidden = !words;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    if (this.#remedy.dataset.offered === remedy) return;
    this.#remedy.dataset.offered = remedy;
    const act = () => this.page.onAction(DEEDS[remedy], this.reply);
    const offered = remedy ? [button(REMEDIES[remedy], SIGNS[remedy], act)] : [];
    this.#remedy.replaceChildren(...offered);
  }
}
