// Whose drafts are shown: those of the person whom this browser knew last, until the server says who
// is here. Nobody sees what another person has begun.

import { Drafts } from "./drafts.js";

const KEY = "holdfast:person";

export class DraftsOfPeople {
  #storage;
  #options;
  #person;

  /**
   * @param {Storage | null} storage
   * @param {{base?: string, token?: string, now?: () => number}} options `token`: signing in gives
   *   the browser another one
   */
  constructor(storage, { token = "", ...options } = {}) {
    this.#storage = storage;
    this.#options = options;
    const last = this.#last;
    this.#person = last.token === token ? last.id : "";
    this.shown = this.#new(this.#person);
  }

  /**
   * Learn who is here. What nobody began, or a guest who signs in, goes with the person.
   * @param {{id: string, guest: boolean} | null} user
   * @param {string} [token]
   * @returns {boolean} whether other drafts are shown now
   */
  meet(user, token = "") {
    const [before, last] = [this.#person, this.#last];
    const person = user?.id ?? "";
    const drafts = this.#of(person);
    if (person) {
      const givers = ["", last.guest && !user.guest ? last.id : ""];
      for (const giver of new Set(givers)) if (giver !== person) this.#of(giver).moveAll(drafts);
      this.#last = { id: person, guest: user.guest, token };
    }
    [this.#person, this.shown] = [person, drafts];
    return person !== before;
  }

  #of(person) {
    return person === this.#person ? this.shown : this.#new(person);
  }

  #new(person) {
    return new Drafts(this.#storage, { ...this.#options, person });
  }

  get #last() {
    try {
      return JSON.parse(this.#storage?.getItem(KEY)) ?? { id: "" };
    } catch {
      return { id: "" };
    }
  }

  set #last(person) {
    try {
      this.#storage?.setItem(KEY, JSON.stringify(person));
    } catch {
      // Full or forbidden: then it is learnt anew with the next page.
    }
  }
}
