// The files that will go with the next message, one tray for each conversation.

import { again, isPassing } from "./again.js";
import { ask } from "./api.js";
import { Chip } from "./chip.js";
import { byId } from "./dom.js";
import { Refused } from "./events.js";
import { isImage, obstacleTo } from "./files.js";
import { gettext, interpolate } from "./i18n.js";
import { upload } from "./ondemand.js";
import { refusalOf } from "./words.js";

/**
 * @typedef {object} Item
 * @property {Chip} chip
 * @property {"waiting" | "uploading" | "done" | "failed"} state
 * @property {object | null} attachment as the server knows it, once it is done
 * @property {AbortController} abort
 */

export class Attachments {
  #list = byId("files");
  #trays = new Map();
  #key = "";
  #queue = Promise.resolve();
  #page;
  /** What the server takes, from `GET /api/session`. */
  limits = {};

  /**
   * @param {{onChange: () => void, onEmptied: () => void, say: (text: string) => void,
   *   onKept: (key: string, ids: string[]) => void}} page
   *   `onKept` hears which files of a conversation are uploaded and wait to be sent
   */
  constructor(page) {
    this.#page = page;
  }

  get isEmpty() {
    return this.#items.length === 0;
  }

  get isBusy() {
    return this.#items.some(({ state }) => state === "waiting" || state === "uploading");
  }

  get hasFailed() {
    return this.#items.some(({ state }) => state === "failed");
  }

  get hasImages() {
    return this.#items.some(({ chip }) => isImage(chip.what.type));
  }

  /** Whether files are attached in a conversation. */
  has(key) {
    return this.#tray(key).length > 0;
  }

  /** Show the files of a conversation; what is on its way elsewhere goes on. */
  open(key) {
    this.#key = key;
    this.#draw();
  }

  /** Attach files, in their order. */
  add(files) {
    const most = this.limits.attachments ?? Infinity;
    const taken = [...files].slice(0, Math.max(most - this.#items.length, 0));
    if (taken.length < files.length) {
      this.#page.say(interpolate(gettext("A message takes at most %s files."), [most]));
    }
    for (const file of taken) this.#start(this.#added(file), file);
    this.#draw();
    this.#items.at(-1)?.chip.element.scrollIntoView({ block: "nearest" });
  }

  /** Take away what is attached, to be sent. */
  take() {
    const taken = this.#items.map(({ attachment }) => attachment);
    this.#trays.delete(this.#key);
    this.#told(this.#key);
    this.#draw();
    return taken;
  }

  /** Put back what could not be sent. */
  restore(attachments, key = this.#key) {
    for (const attachment of attachments) {
      if (this.#tray(key).some((item) => item.attachment?.id === attachment.id)) continue;
      const { name, size, url, content_type: type } = attachment;
      const item = this.#new({ name, size, type, url }, key);
      item.attachment = attachment;
      this.#turn(item, { state: "done" });
    }
    this.#told(key);
    this.#draw();
  }

  /** The files of a conversation belong to another one; what is on its way goes on. */
  move(from, to) {
    if (!this.has(from)) return;
    this.#trays.set(to, [...this.#tray(to), ...this.#tray(from)]);
    this.#trays.delete(from);
    this.#told(from);
    this.#told(to);
    this.#draw();
  }

  get #items() {
    return this.#tray(this.#key);
  }

  #tray(key) {
    return this.#trays.get(key) ?? [];
  }

  #added(file) {
    return this.#new({ name: file.name, size: file.size, type: file.type, file });
  }

  #new(what, key = this.#key) {
    const item = { state: "waiting", attachment: null, abort: new AbortController() };
    item.chip = new Chip(what, {
      onRemove: () => this.#remove(item),
      onRetry: () => this.#start(item, what.file),
    });
    this.#trays.set(key, [...this.#tray(key), item]);
    return item;
  }

  #start(item, file) {
    const error = obstacleTo(file, this.limits);
    if (error) {
      this.#turn(item, { state: "failed", error });
      this.#page.say(`${file.name}: ${error}`);
      return;
    }
    this.#turn(item, { state: "waiting" });
    // One after another: the first request of a visitor makes them a guest, and two would make two.
    this.#queue = this.#queue.then(() => this.#upload(item, file));
  }

  async #upload(item, file) {
    const { signal } = item.abort;
    if (signal.aborted) return;
    const onProgress = (share) => this.#turn(item, { state: "uploading", share });
    try {
      onProgress(0);
      const attempts = navigator.onLine ? 3 : 1;
      item.attachment = await again(() => upload(file, { onProgress, signal }), { attempts });
      this.#turn(item, { state: "done" });
      for (const [key, items] of this.#trays) if (items.includes(item)) this.#told(key);
      this.#page.say(interpolate(gettext("%s is attached."), [file.name]));
    } catch (failure) {
      if (signal.aborted) return;
      const known = failure instanceof Refused;
      const error = known ? refusalOf(failure) : gettext("The upload broke off.");
      const retryable = isPassing(failure) || failure.error?.retryable === true;
      this.#turn(item, { state: "failed", error, retryable });
      this.#page.say(`${file.name}: ${error}`);
    }
  }

  #turn(item, to) {
    item.state = to.state;
    item.chip.show(to);
    this.#page.onChange();
  }

  #remove(item) {
    item.abort.abort();
    for (const [key, items] of this.#trays) {
      if (!items.includes(item)) continue;
      const at = items.indexOf(item);
      this.#trays.set(key, items.toSpliced(at, 1));
      this.#told(key);
      if (key !== this.#key) break;
      this.#draw();
      const next = this.#items[Math.min(at, this.#items.length - 1)];
      if (next) next.chip.focus();
      else this.#page.onEmptied();
    }
    if (!item.attachment) return;
    // Nobody waits for it: what stays there unsent is deleted after a day.
    ask(`/api/attachments/${item.attachment.id}`, { method: "DELETE" }).catch(() => {});
  }

  #told(key) {
    const ids = this.#tray(key).flatMap(({ attachment }) => (attachment ? [attachment.id] : []));
    this.#page.onKept(key, ids);
  }

  #draw() {
    this.#list.replaceChildren(...this.#items.map(({ chip }) => chip.element));
    this.#page.onChange();
  }
}
