// What the page knows of a list of conversations: the pages it has read, newest first.

import { newestFirst } from "./groups.js";

export class Listing {
  #read;
  #known = new Map();
  #newest = new Set();
  #hidden = new Set();
  #before = null;
  #asked = 0;

  /** @param {(query: Record<string, string>) => Promise<object>} read asks for one page */
  constructor(read) {
    this.#read = read;
    this.loaded = false;
  }

  /** All that is known and not hidden, newest first. */
  get conversations() {
    return [...this.#known.values()].filter(({ id }) => !this.#hidden.has(id)).sort(newestFirst);
  }

  /** Whether there are more than were read. */
  get hasMore() {
    return this.#before !== null;
  }

  get(id) {
    return this.#known.get(id);
  }

  /** Take a new or changed conversation. */
  put(conversation) {
    this.#known.set(conversation.id, conversation);
  }

  /** Whether it was known. */
  forget(id) {
    return this.#known.delete(id);
  }

  /** Whether a refresh reads it: it is pinned, or on the newest page. */
  isNewest(id) {
    return this.#newest.has(id);
  }

  /** Leave it out, whatever the server says. */
  hide(id) {
    this.#hidden.add(id);
  }

  unhide(id) {
    this.#hidden.delete(id);
  }

  /**
   * Read the newest page again; what was read beyond it stays. The latest request counts.
   * @returns {Promise<number | undefined>} the revision that the answer had
   */
  async refresh() {
    const asked = ++this.#asked;
    const page = await this.#read({});
    const pinned = await this.#allPinned(page);
    if (asked !== this.#asked) return page.revision;
    const fresh = new Map(page.conversations.map((one) => [one.id, one]));
    const oldest = page.before ? page.conversations.at(-1) : null;
    const isPinned = new Set(pinned.map(({ id }) => id));
    const kept = [...this.#known.values()].filter(
      (one) => !fresh.has(one.id) && (!one.updated_at || (oldest && newestFirst(oldest, one) < 0)),
    );
    // What is known by its pin alone stands for no page that was read.
    const hasOlder = kept.some((one) => one.updated_at && !one.pinned);
    if (!hasOlder) this.#before = page.before ?? null;
    this.#known = new Map(kept.map((one) => [one.id, { ...one, pinned: isPinned.has(one.id) }]));
    for (const one of [...pinned, ...page.conversations]) this.put(one);
    this.#newest = new Set([...isPinned, ...fresh.keys()]);
    this.loaded = true;
    return page.revision;
  }

  // The first page has some of them, with where the others begin.
  async #allPinned({ pinned = [], pinned_before: before = null }) {
    const all = [...pinned];
    while (before) {
      const page = await this.#read({ pinned: "true", before });
      all.push(...page.conversations);
      before = page.before;
    }
    return all;
  }

  /** Read the next page. */
  async loadMore() {
    const before = this.#before;
    if (before === null) return;
    const page = await this.#read({ before });
    if (before !== this.#before) return;
    this.#before = page.before ?? null;
    for (const one of page.conversations) this.put(one);
  }
}
