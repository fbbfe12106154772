// What a person can do with a conversation of the list.

import { again } from "./again.js";
import { ask } from "./api.js";
import { askPerson } from "./dialog.js";
import { Refused } from "./events.js";
import { gettext, interpolate } from "./i18n.js";
import { later } from "./later.js";
import { nameOf } from "./rows.js";
import { toast } from "./toast.js";
import { refusalOf } from "./words.js";

const SHORT_CHARACTERS = 36;

/**
 * @typedef {object} List what changes are made to
 * @property {(id: string) => object | undefined} find
 * @property {(conversation: object) => void} put
 * @property {(id: string) => void} forget
 * @property {(id: string) => void} hide
 * @property {(id: string) => void} unhide
 */
export class Changes {
  #list;
  #page;

  /**
   * @param {List} list
   * @param {{onDeleted: (id: string) => boolean, onRestored: (id: string) => void,
   *   onRenamed: (id: string) => void, onTrouble: (text: string) => void}} page
   */
  constructor(list, page) {
    this.#list = list;
    this.#page = page;
  }

  /** The menu of a row. */
  itemsFor(id) {
    const { pinned = false, archived = false } = this.#list.find(id) ?? {};
    const pin = pinned ? gettext("Unpin") : gettext("Pin");
    const archive = archived ? gettext("Unarchive") : gettext("Archive");
    return [
      { label: gettext("Rename"), run: () => this.rename(id) },
      ...(archived ? [] : [{ label: pin, run: () => this.#change(id, { pinned: !pinned }) }]),
      { label: archive, run: () => this.archive(id, !archived) },
      { label: gettext("Delete"), danger: true, run: () => this.delete(id) },
    ];
  }

  async rename(id) {
    const before = nameOf(this.#list.find(id));
    const title = await askPerson({
      title: gettext("Rename the conversation"),
      confirm: gettext("Rename"),
      value: before,
    });
    if (!title?.trim() || title.trim() === before) return;
    if (await this.#change(id, { title: title.trim() })) this.#page.onRenamed(id);
  }

  async archive(id, archived) {
    if (!(await this.#change(id, { archived }))) return;
    const text = archived ? gettext("Archived: %s") : gettext("Back in the list: %s");
    const action = {
      label: gettext("Undo"),
      run: () => this.#change(id, { archived: !archived }),
    };
    toast(interpolate(text, [this.#shortNameOf(id)]), { action });
  }

  /** Out of the list at once; deleted when it was not taken back. */
  delete(id) {
    const text = interpolate(gettext("Deleted: %s"), [this.#shortNameOf(id)]);
    this.#list.hide(id);
    const wasOpen = this.#page.onDeleted(id);
    later(text, {
      run: () => this.#remove(id),
      undo: () => {
        this.#list.unhide(id);
        if (wasOpen) this.#page.onRestored(id);
      },
    });
  }

  #shortNameOf(id) {
    const name = [...nameOf(this.#list.find(id))];
    const most = SHORT_CHARACTERS;
    return name.length > most ? `${name.slice(0, most - 1).join("").trimEnd()}…` : name.join("");
  }

  async #remove(id) {
    try {
      const remove = () => ask(`/api/conversations/${id}`, { method: "DELETE", keepalive: true });
      await again(remove);
      this.#list.forget(id);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return this.#list.forget(id);
      this.#list.unhide(id);
      this.#page.onTrouble(refusalOf(error));
    }
  }

  async #change(id, body) {
    try {
      const change = () => ask(`/api/conversations/${id}`, { method: "PATCH", body });
      this.#list.put(await again(change));
      return true;
    } catch (error) {
      this.#page.onTrouble(refusalOf(error));
      return false;
    }
  }
}
