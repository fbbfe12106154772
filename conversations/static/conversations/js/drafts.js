// What a person has begun to write and not sent, with the ids of the files that go with it, and what
// they sent that the server has not taken yet; kept per conversation in the browser.

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
   * @param {{base?: string, person?: string, now?: () => number}} options several chats of one site
   *   keep their drafts apart by `base`, several people of one browser by `person`: an id, or ""
   */
  constructor(storage, { base = "/", person = "", now = Date.now } = {}) {
    this.#storage = storage;
    this.#prefix = `holdfast:draft:${person && `${person}@`}${base}:`;
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

  /** It is sent, or given up. */
  forget(id) {
    this.#keep(id, { ...this.#draft(id), text: "", files: [] });
  }

  /** Keep what is on its way to the server: see `Said` of starts.js. */
  keepSaid(id, said) {
    const draft = this.#draft(id);
    this.#keep(id, { ...draft, said: [...draft.said, said] });
  }

  /** The server has it, or will never have it. */
  forgetSaid(id, replyId) {
    const draft = this.#draft(id);
    const said = draft.said.filter(({ body }) => body.reply_id !== replyId);
    if (said.length < draft.said.length) this.#keep(id, { ...draft, said });
  }

  /** What is on its way to the server from a conversation. */
  saidIn(id) {
    return this.#draft(id).said;
  }

  /** Add to a draft; what is added comes first. */
  add(id, { text, files = [], said = [] }) {
    const draft = this.#draft(id);
    this.#keep(id, {
      text: joined(text, draft.text),
      files: [...new Set([...files, ...draft.files])],
      said: [...said, ...draft.said],
    });
  }

  /** Make a draft the beginning of another one. */
  move(id, to, drafts = this) {
    drafts.add(to, this.#draft(id));
    this.#remove(id);
  }

  /** Give all of them to another person. */
  moveAll(drafts) {
    for (const id of this.ids) this.move(id, id, drafts);
  }

  /** The conversations in which something is begun or on its way. */
  get ids() {
    const stored = this.#keys().map((key) => this.idOf(key));
    return [...new Set([...stored, ...this.#inMemory.keys()])];
  }

  /** Whether all of them outlive the page. */
  get areSafe() {
    return this.#inMemory.size === 0;
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
    return this.#inMemory.get(id) ?? this.#stored(id) ?? { text: "", files: [], said: [] };
  }

  #keep(id, { text, files, said }) {
    if (!text.trim() && !files.length && !said.length) return this.#remove(id);
    const draft = { text, files, said };
    if (this.#store(id, draft)) this.#inMemory.delete(id);
    else this.#inMemory.set(id, draft);
  }

  #remove(id) {
    this.#inMemory.delete(id);
    this.#attempt((storage) => storage.removeItem(this.#prefix + id));
  }

  #store(id, draft) {
    if (draft.text.length > MOST_CHARACTERS) return false;
    const value = JSON.stringify({ ...draft, at: this.#now() });
    const key = this.#prefix + id;
    this.#makeRoom(key, MOST - 1);
    const store = (storage) => (storage.setItem(key, value), true);
    if (this.#attempt(store)) return true;
    // Full: half of ours may make room.
    this.#makeRoom(key, Math.floor(this.#keys().length / 2));
    return this.#attempt(store) ?? false;
  }

  /** The oldest go, but for what the server has to get. */
  #makeRoom(key, most) {
    const others = this.#keys().filter((one) => one !== key);
    if (others.length <= most) return;
    const drafts = others.map((one) => [this.#readKey(one), one]).filter(([draft]) => !draft?.said.length);
    const oldest = drafts.sort(([a], [b]) => (a?.at ?? 0) - (b?.at ?? 0));
    for (const [, one] of oldest.slice(0, others.length - most)) {
      this.#attempt((storage) => storage.removeItem(one));
    }
  }

  #stored(id) {
    return this.#readKey(this.#prefix + id);
  }

  #readKey(key) {
    try {
      const draft = JSON.parse(this.#attempt((storage) => storage.getItem(key)));
      if (typeof draft?.text !== "string") return null;
      const [files, said] = [draft.files, draft.said].map((one) => (Array.isArray(one) ? one : []));
      return { ...draft, files, said };
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

/** Two texts as one; what the other begins with already is not said twice. */
function joined(first, second) {
  if (!first.trim() || `${second}\n\n`.startsWith(`${first}\n\n`)) return second;
  if (!second.trim() || first.startsWith(`${second}\n\n`)) return first;
  return `${first}\n\n${second}`;
}

/** The storage of this browser; null where it is forbidden. */
export function storageOfBrowser() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
