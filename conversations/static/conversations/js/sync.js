// Keeps what is shown in step with what other tabs and devices do. It knows no DOM.
//
// Sync events carry ids and a revision, not content, and may be lost. So they only say what to read
// again, and a revision that jumped says that something was missed.

import { systemClock } from "./clock.js";

const TOGETHER_MS = 60;

/**
 * @typedef {object} Page
 * @property {(changed: string[]) => Promise<number | undefined>} readList reads the list again, with
 *   these conversations wherever they stand in it; gives its revision
 * @property {() => {id: string, revision: number} | null} shown the conversation that is open, and
 *   the revision that it was read at
 * @property {() => Promise<void>} readShown reads it again
 * @property {(id: string) => void} onDeleted a conversation is gone
 * @property {(event: object) => void} [onEvent] called with each event as it comes
 * @property {import("./clock.js").Clock} [clock] for tests
 */

export class Sync {
  #page;
  #heard = 0;
  #wantedList = 0;
  #list = 0;
  #reading = null;
  #next = null;
  #timer = null;
  #wantedShown = 0;
  #changed = new Set();

  /** @param {Page} page */
  constructor(page) {
    this.#page = { onEvent() {}, clock: systemClock, ...page };
  }

  /** Take a sync event. */
  take(event) {
    const { revision, conversation_id: id, type } = event;
    this.#page.onEvent(event);
    if (type === "conversation.deleted") this.#page.onDeleted(id);
    if (type === "conversation.updated") this.#changed.add(id);
    if (!Number.isInteger(revision)) return;
    // The changes of one transaction share a number; a larger step means that some were lost.
    if (this.#heard && revision > this.#heard + 1) this.#wantShown(revision);
    else if (this.#page.shown()?.id === id) this.#wantShown(revision);
    this.#heard = Math.max(this.#heard, revision);
    this.#wantList(revision);
  }

  /** Take the revision as it is now: after a reconnect, or asked for. */
  at(revision) {
    if (!Number.isInteger(revision)) return;
    this.#heard = Math.max(this.#heard, revision);
    this.#wantShown(revision);
    this.#wantList(revision);
  }

  /** Read the list again; whoever asks while it is being read shares the next answer. */
  readList() {
    if (!this.#reading) {
      this.#reading = this.#readList().finally(() => (this.#reading = null));
      return this.#reading;
    }
    this.#next ??= this.#reading.catch(() => {}).then(() => {
      this.#next = null;
      return this.readList();
    });
    return this.#next;
  }

  async #readList() {
    const wanted = this.#wantedList;
    const changed = [...this.#changed];
    this.#changed.clear();
    try {
      this.#list = Math.max(this.#list, (await this.#page.readList(changed)) ?? wanted);
    } catch (error) {
      for (const id of changed) this.#changed.add(id);
      throw error;
    }
  }

  #wantList(revision) {
    if (revision <= this.#list) return;
    this.#wantedList = Math.max(this.#wantedList, revision);
    this.#soon();
  }

  #wantShown(revision) {
    if (!isBehind(this.#page.shown(), revision)) return;
    this.#wantedShown = Math.max(this.#wantedShown, revision);
    this.#soon();
  }

  #soon() {
    this.#timer ??= this.#page.clock.setTimeout(() => this.#now(), TOGETHER_MS);
  }

  async #now() {
    const [list, shown] = [this.#wantedList, this.#wantedShown];
    this.#wantedShown = 0;
    const tasks = [];
    if (isBehind(this.#page.shown(), shown)) tasks.push(this.#page.readShown());
    if (list > this.#list) tasks.push(this.readList());
    // What fails was tried again and again; then the next word from the server asks for it.
    await Promise.allSettled(tasks);
    this.#timer = null;
    if (this.#wantedShown || this.#wantedList > list) this.#soon();
  }
}

function isBehind(shown, revision) {
  return shown !== null && (shown.revision ?? 0) < revision;
}
