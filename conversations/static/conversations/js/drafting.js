// Keeps the composer and the drafts in step.

import { ask, tokenField } from "./api.js";
import { byId } from "./dom.js";
import { storageOfBrowser } from "./drafts.js";
import { DraftsOfPeople } from "./whose.js";

const PATIENCE_MS = 300;
const NEW = "new";

export class Drafting {
  #people = new DraftsOfPeople(storageOfBrowser(), {
    base: document.body.dataset.base,
    token: tokenField()[1],
  });
  #composer;
  #id = null;
  #timer = 0;

  /** @param {import("./composer.js").Composer} composer */
  constructor(composer) {
    this.#composer = composer;
    byId("message").addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.keep(), PATIENCE_MS);
    });
    addEventListener("pagehide", () => this.keep());
    document.addEventListener("visibilitychange", () => document.hidden && this.keep());
    addEventListener("holdfast:leaving", () => this.forgetAll());
    addEventListener("storage", (event) => this.#changedElsewhere(event));
  }

  /** Learn who is here: see whose.js. */
  meet(user) {
    this.keep();
    if (this.#people.meet(user, tokenField()[1]) && this.#id !== null) this.#show();
  }

  /** Show what was begun in this conversation; null is one that does not exist yet. */
  open(id) {
    this.keep();
    this.#id = id ?? NEW;
    this.#show();
  }

  /** Keep which uploaded files wait in a conversation; "" is one that does not exist yet. */
  keepFiles(key, ids) {
    if (this.#id !== null) this.#drafts.writeFiles(key || NEW, ids);
  }

  /** The text goes out into this conversation; what is in the field now belongs to it. */
  sent(id) {
    if (this.#id !== null) this.#drafts.forget(this.#id);
    this.#id = id;
    this.keep();
  }

  /** Keep what was sent until the server has it, or has refused it. */
  keepSaid({ id, isNew, settings }, said) {
    if (this.#id === null || this.#drafts.saidIn(id).some(({ body }) => body.id === said.body.id)) return;
    this.#drafts.keepSaid(id, { ...said, isNew, settings });
    this.#guard();
  }

  forgetSaid(id, replyId) {
    this.#drafts.forgetSaid(id, replyId);
    this.#guard();
  }

  /** What was sent and has not reached the server, with the conversation of each. */
  get allSaid() {
    return this.#drafts.ids.flatMap((id) => this.#drafts.saidIn(id).map((said) => ({ id, said })));
  }

  /** What a conversation was begun with that the server may not know yet; undefined for any other. */
  begun(id) {
    return this.#drafts.saidIn(id).find(({ isNew }) => isNew);
  }

  /**
   * A text could not be sent: it is what was begun in a conversation, before what was begun since.
   * @param {string | null} id null where the conversation came to nothing
   * @param {string} text
   * @param {string} [gone] the one that came to nothing
   */
  giveBack(id, text, gone) {
    this.keep();
    if (this.#id === null) return;
    const key = id ?? NEW;
    if (gone) this.#drafts.move(gone, key);
    this.#drafts.add(key, { text });
    if (this.#id === gone) this.#id = key;
    if (this.#id === key) this.#composer.text = this.#drafts.read(key);
    this.#guard();
  }

  /** Write down what the field says. */
  keep() {
    clearTimeout(this.#timer);
    if (this.#id !== null) this.#drafts.write(this.#id, this.#composer.text);
    this.#guard();
  }

  /** Forget every draft: the person leaves. */
  forgetAll() {
    clearTimeout(this.#timer);
    this.#id = null;
    this.#drafts.clear();
    this.#guard();
  }

  get #drafts() {
    return this.#people.shown;
  }

  #show() {
    const draft = this.#drafts.read(this.#id);
    if (this.#composer.text !== draft) this.#composer.text = draft;
    this.#bringFiles(this.#id);
  }

  // Where the browser could not keep all, it asks before it lets go of the page.
  #guard() {
    globalThis.onbeforeunload = this.#drafts.areSafe ? null : (event) => event.preventDefault();
  }

  // Those that this page does not hold itself, as far as the server still knows them as unsent.
  async #bringFiles(id) {
    const key = id === NEW ? "" : id;
    const ids = this.#drafts.filesOf(id);
    if (!ids.length || this.#composer.hasFiles(key)) return;
    const { attachments } = await ask("/api/attachments").catch(() => ({ attachments: null }));
    if (!attachments || !this.#drafts.filesOf(id).length) return; // or they were sent meanwhile
    const known = attachments.filter((one) => ids.includes(one.id));
    if (known.length) this.#composer.restoreFiles(known, key);
    else if (!this.#composer.hasFiles(key)) this.#drafts.writeFiles(id, []);
  }

  #changedElsewhere({ key, oldValue }) {
    if (this.#drafts.idOf(key) !== this.#id || this.#id === null) return;
    // Who writes here goes on; a field that shows the other tab's draft follows it.
    let before = "";
    try {
      before = JSON.parse(oldValue)?.text ?? "";
    } catch {
      return;
    }
    if (this.#composer.text !== before || document.hasFocus()) return;
    this.#composer.text = this.#drafts.read(this.#id);
  }
}
