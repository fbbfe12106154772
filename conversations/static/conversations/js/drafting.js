// Keeps the composer and the drafts in step.

import { ask } from "./api.js";
import { byId } from "./dom.js";
import { Drafts, storageOfBrowser } from "./drafts.js";

const PATIENCE_MS = 300;
const NEW = "new";

export class Drafting {
  #drafts = new Drafts(storageOfBrowser(), { base: document.body.dataset.base });
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

  /** Show what was begun in this conversation; null is one that does not exist yet. */
  open(id) {
    this.keep();
    this.#id = id ?? NEW;
    const draft = this.#drafts.read(this.#id);
    if (this.#composer.text !== draft) this.#composer.text = draft;
    this.#bringFiles(this.#id);
  }

  /** Keep which uploaded files wait in a conversation; "" is one that does not exist yet. */
  keepFiles(key, ids) {
    if (this.#id !== null) this.#drafts.writeFiles(key || NEW, ids);
  }

  /** The text went out into this conversation; what is in the field now belongs to it. */
  sent(id) {
    if (this.#id !== null) this.#drafts.forget(this.#id);
    this.#id = id;
    this.keep();
  }

  /** A text could not be sent: keep it as what was begun in this conversation. */
  giveBack(id, text) {
    if (id === null) this.#id = NEW; // there is no such conversation after all
    this.#drafts.write(id ?? NEW, text);
  }

  /** Write down what the field says. */
  keep() {
    clearTimeout(this.#timer);
    if (this.#id !== null) this.#drafts.write(this.#id, this.#composer.text);
  }

  /** Forget every draft: the person leaves. */
  forgetAll() {
    clearTimeout(this.#timer);
    this.#id = null;
    this.#drafts.clear();
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
