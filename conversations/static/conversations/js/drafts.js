// What a person has begun to write and not sent, and the ids of the files that go with it, kept per
// conversation in the browser.

const MOST = 50;
const MOST_CHARACTERS = 100_000;

/** The drafts. A storage that is full, forbidden or missing costs what outlives the page. */
export class Drafts {
  #storage;
  #prefix;
  #now;
  #inMemory = new Map();

  /**
   * @param {Storage | null} storage
   * @param {{base?: string, now?: () => number}} options `base`: several chats of one site keep
   *   their drafts apart
   */
  constructor(storage, { base = "/", now = Date.now } = {}) {
    this.#storage = storage;
    this.#prefix = `holdfast:draft:${base}:`;
    this.#now = now;
  }

  read(id) {
    return this.#draft(id).text;
  }

  /** The ids of the uploaded files of a draft. */
  filesOf(id) {
    return this.#draft(id).files;
  }

  /** Keep a draft; an empty one without files is forgotten. */
  write(id, text) {
    this.#keep(id, { ...this.#draft(id), text });
  }

  /** Keep which files go with a draft. */
  writeFiles(id, files) {
    this.#keep(id, { ...this.#draft(id), files });
  }

  forget(id) {
    this.#inMemory.delete(id);
    this.#attempt((storage) => storage.removeItem(this.#prefix + id));
  }

  /** Forget all of them: another person may come. */
  clear() {
    this.#inMemory.clear();
    for (const key of this.#keys()) this.#attempt((storage) => storage.removeItem(key));
  }

  /** The conversation whose draft another tab has changed; null where it is no draft of ours. */
  idOf(key) {
    return key?.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : null;
  }

  #draft(id) {
    return this.#inMemory.get(id) ?? this.#stored(id) ?? { text: "", files: [] };
  }

  #keep(id, { text, files }) {
    if (!text.trim() && !files.length) return this.forget(id);
    if (this.#store(id, { text, files })) this.#inMemory.delete(id);
    else this.#inMemory.set(id, { text, files });
  }

  #store(id, { text, files }) {
    if (text.length > MOST_CHARACTERS) return false;
    const value = JSON.stringify({ text, files, at: this.#now() });
    const key = this.#prefix + id;
    this.#makeRoom(key, MOST - 1);
    const store = (storage) => (storage.setItem(key, value), true);
    if (this.#attempt(store)) return true;
    // Full: half of ours may make room.
    this.#makeRoom(key, Math.floor(this.#keys().length / 2));
    return this.#attempt(store) ?? false;
  }

  #makeRoom(key, most) {
    const others = this.#keys().filter((one) => one !== key);
    if (others.length <= most) return;
    const age = (one) => this.#parsed(this.#attempt((storage) => storage.getItem(one)))?.at ?? 0;
    const oldest = others.map((one) => [age(one), one]).sort(([a], [b]) => a - b);
    for (const [, one] of oldest.slice(0, others.length - most)) {
      this.#attempt((storage) => storage.removeItem(one));
    }
  }

  #stored(id) {
    return this.#parsed(this.#attempt((storage) => storage.getItem(this.#prefix + id)));
  }

  #parsed(value) {
    try {
      const draft = JSON.parse(value);
      if (typeof draft?.text !== "string") return null;
      return { ...draft, files: Array.isArray(draft.files) ? draft.files : [] };
    } catch {
      return null; // not ours, or cut off
    }
  }

  #keys() {
    const all = (storage) => Array.from({ length: storage.length }, (_, n) => storage.key(n));
    return (this.#attempt(all) ?? []).filter((key) => key?.startsWith(this.#prefix));
  }

  #attempt(task) {
    try {
      return this.#storage ? task(this.#storage) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** The storage of this browser; null where it is forbidden. */
export function storageOfBrowser() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
