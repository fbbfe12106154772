// The list of conversations.

import { again } from "./again.js";
import { ask } from "./api.js";
import { askPerson } from "./dialog.js";
import { ICONS, byId, icon, make } from "./dom.js";
import { Refused } from "./events.js";
import { address } from "./places.js";
import { refusalOf } from "./words.js";

const UNTITLED = "New conversation";

export class Sidebar {
  #list = byId("conversations");
  #note = byId("list-note");
  #more = byId("load-more");
  #conversations = new Map();
  #before = null;
  #current = null;

  /** @param {{onDeleted: (id: string) => void, onRenamed: (id: string) => void,
   *   onTrouble: (text: string) => void}} page */
  constructor(page) {
    this.page = page;
    this.#more.addEventListener("click", () => this.#loadMore());
    this.#wireDrawer();
  }

  titleOf(id) {
    return this.#conversations.get(id)?.title ?? "";
  }

  /** Mark the conversation that is open. */
  select(id) {
    this.#current = id;
    for (const row of this.#list.children) this.#mark(row);
  }

  /** Show a conversation that the server does not know yet. */
  expect(id, title) {
    if (this.#conversations.has(id)) return;
    this.#conversations = new Map([[id, { id, title }], ...this.#conversations]);
    this.#draw();
  }

  /** Nobody has been here before: a guest is made with the first message. */
  showEmpty() {
    this.#draw();
  }

  forget(id) {
    if (this.#conversations.delete(id)) this.#draw();
  }

  /** Read the newest page again; what was loaded beyond it stays. Gives the revision it shows. */
  async refresh() {
    const page = await again(() => ask("/api/conversations"));
    const oldest = page.conversations.at(-1)?.updated_at ?? "";
    const older = [...this.#conversations.values()].filter(
      (one) => page.before && one.updated_at && one.updated_at < oldest,
    );
    if (!older.length) this.#before = page.before ?? null;
    this.#take([...page.conversations, ...older]);
    return page.revision;
  }

  /** Ask whether to delete a conversation, and do it. */
  delete(id) {
    return this.#delete(id);
  }

  close() {
    document.body.classList.remove("sidebar-shown");
    byId("sidebar-open").setAttribute("aria-expanded", "false");
    byId("backdrop").hidden = true;
  }

  async #loadMore() {
    this.#more.disabled = true;
    try {
      const path = `/api/conversations?before=${encodeURIComponent(this.#before)}`;
      const page = await again(() => ask(path), { attempts: 3 });
      this.#before = page.before ?? null;
      this.#take([...this.#conversations.values(), ...page.conversations]);
    } catch (error) {
      this.page.onTrouble(refusalOf(error));
    } finally {
      this.#more.disabled = false;
    }
  }

  #take(conversations) {
    this.#conversations = new Map(conversations.map((one) => [one.id, one]));
    this.#draw();
  }

  #draw() {
    const rows = new Map([...this.#list.children].map((row) => [row.dataset.id, row]));
    const wanted = [...this.#conversations.values()].map((one) => {
      const row = rows.get(one.id) ?? this.#row(one);
      const link = row.firstElementChild;
      if (link.textContent !== (one.title || UNTITLED)) link.textContent = one.title || UNTITLED;
      link.title = link.textContent;
      this.#mark(row);
      return row;
    });
    const inOrder =
      wanted.length === this.#list.children.length &&
      wanted.every((row, index) => row === this.#list.children[index]);
    // Moving rows takes the focus away from what is in them.
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;
    if (!inOrder) this.#list.replaceChildren(...wanted);
    if (!inOrder && focused?.isConnected) focused.focus();
    this.#note.hidden = this.#conversations.size > 0;
    this.#note.textContent = "Your conversations appear here.";
    this.#more.hidden = !this.#before;
  }

  #row({ id }) {
    const link = make("a", {
      href: address(`/c/${id}`),
      className: "conversation-link",
      data: { route: "" },
    });
    const rename = this.#button("Rename", ICONS.pen, () => this.#rename(id));
    const remove = this.#button("Delete", ICONS.bin, () => this.#delete(id));
    return make("li", { className: "conversation-row", data: { id } }, link, rename, remove);
  }

  #button(label, path, onclick) {
    const button = make("button", { type: "button", className: "icon-button row-button", onclick });
    button.append(icon(path));
    button.title = label;
    button.setAttribute("aria-label", label);
    return button;
  }

  #mark(row) {
    const link = row.firstElementChild;
    if (row.dataset.id === this.#current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  async #rename(id) {
    const before = this.titleOf(id) || UNTITLED;
    const title = await askPerson({
      title: "Rename the conversation",
      confirm: "Rename",
      value: before,
    });
    if (!title?.trim() || title.trim() === before) return;
    await this.#change(async () => {
      const body = { title: title.trim() };
      const changed = await again(() => ask(`/api/conversations/${id}`, { method: "PATCH", body }));
      this.#conversations.set(id, changed);
      this.#draw();
      this.page.onRenamed(id);
    });
  }

  async #delete(id) {
    const answer = await askPerson({
      title: "Delete this conversation?",
      text: `“${this.titleOf(id) || UNTITLED}” and all its messages will be gone.`,
      confirm: "Delete",
      danger: true,
    });
    if (answer === null) return;
    await this.#change(async () => {
      await again(() => ask(`/api/conversations/${id}`, { method: "DELETE" })).catch((error) => {
        if (!(error instanceof Refused && error.status === 404)) throw error;
      });
      this.forget(id);
      this.page.onDeleted(id);
    });
  }

  async #change(task) {
    try {
      await task();
    } catch (error) {
      this.page.onTrouble(refusalOf(error));
    }
  }

  #wireDrawer() {
    const opener = byId("sidebar-open");
    opener.addEventListener("click", () => {
      document.body.classList.add("sidebar-shown");
      opener.setAttribute("aria-expanded", "true");
      byId("backdrop").hidden = false;
      byId("sidebar-close").focus();
    });
    byId("sidebar-close").addEventListener("click", () => {
      this.close();
      opener.focus();
    });
    byId("backdrop").addEventListener("click", () => this.close());
    addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }
}
