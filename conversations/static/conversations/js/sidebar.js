// The list of conversations: all of them, the archived ones, or what a search found.

import { again } from "./again.js";
import { ask } from "./api.js";
import { Changes } from "./changes.js";
import { byId, make } from "./dom.js";
import { Drawer } from "./drawer.js";
import { grouped } from "./groups.js";
import { gettext } from "./i18n.js";
import { Listing } from "./listing.js";
import { Rows } from "./rows.js";
import { Search } from "./search.js";
import { refusalOf } from "./words.js";

const AHEAD_PX = 240;

export class Sidebar {
  #all = new Listing((query) => read(query));
  #archived = new Listing((query) => read({ ...query, archived: "true" }));
  #shown = this.#all;
  #current = null;
  #drawer = new Drawer();
  #note = byId("list-note");
  #more = byId("load-more");
  #toggle = byId("archived-toggle");
  #rows;
  #search;
  #changes;

  /**
   * @param {object} page
   * @param {(id: string) => boolean} page.onDeleted whether it was the open one
   * @param {(id: string) => void} page.onRestored
   * @param {(id: string) => void} page.onRenamed
   * @param {(id: string, messageId: string | null, sought: string) => void} page.onFound
   * @param {(text: string) => void} page.onTrouble
   */
  constructor(page) {
    this.page = page;
    this.#changes = new Changes(this.#listForChanges(), page);
    this.#rows = new Rows(byId("conversations"), (id) => this.#changes.itemsFor(id));
    this.#search = new Search({ onFound: page.onFound, onChange: () => this.#draw() });
    this.#toggle.addEventListener("click", () => this.#toggleArchived());
    this.#more.addEventListener("click", () => this.#loadMore());
    this.#loadWhenNear();
  }

  titleOf(id) {
    return this.#find(id)?.title ?? "";
  }

  /** Mark the conversation that is open. */
  select(id) {
    this.#current = id;
    this.#rows.mark(id);
  }

  /** Show a conversation that the server does not know yet. */
  expect(id, title) {
    if (this.#all.get(id)) return;
    this.#all.put({ id, title });
    this.#draw();
  }

  /** Nobody has been here before: a guest is made with the first message. */
  showEmpty() {
    this.#all.loaded = this.#archived.loaded = true;
    this.#draw();
  }

  forget(id) {
    const known = [this.#all.forget(id), this.#archived.forget(id)];
    if (known.some(Boolean)) this.#draw();
  }

  /**
   * Read the newest page again; what was loaded beyond it stays, but for `changed`, which are read
   * one by one.
   * @returns {Promise<number>} the revision that is shown
   */
  async refresh(changed = []) {
    const listing = this.#shown;
    try {
      const revision = await listing.refresh();
      this.#draw();
      await this.#readAgain(changed.filter((id) => !listing.isNewest(id)));
      return revision;
    } catch (error) {
      if (!listing.loaded) this.#drawFailure(error);
      throw error;
    }
  }

  async #readAgain(ids) {
    for (const id of ids) {
      const found = await again(() => ask(`/api/conversations/${id}?messages=false`)).catch(() => null);
      if (found) this.#sort(found);
    }
    if (ids.length) this.#draw();
  }

  /** Delete a conversation, unless that is taken back. */
  delete(id) {
    this.#changes.delete(id);
  }

  /** Show the field of the search, and put the cursor into it. */
  openSearch() {
    this.#drawer.open();
    this.#search.focus();
  }

  close() {
    this.#drawer.close();
  }

  #find(id) {
    return this.#all.get(id) ?? this.#archived.get(id);
  }

  #listForChanges() {
    const redrawn = (task) => (...values) => {
      task(...values);
      this.#draw();
    };
    const both = [this.#all, this.#archived];
    return {
      find: (id) => this.#find(id),
      put: redrawn((conversation) => this.#sort(conversation)),
      forget: redrawn((id) => both.forEach((listing) => listing.forget(id))),
      hide: (id) => {
        this.#rows.passFocusOn(id);
        both.forEach((listing) => listing.hide(id));
        this.#draw();
      },
      unhide: redrawn((id) => both.forEach((listing) => listing.unhide(id))),
    };
  }

  /** Put a changed conversation where it belongs now. */
  #sort(conversation) {
    const [to, from] = conversation.archived
      ? [this.#archived, this.#all]
      : [this.#all, this.#archived];
    if (from === this.#shown) this.#rows.passFocusOn(conversation.id);
    from.forget(conversation.id);
    to.put(conversation);
  }

  async #toggleArchived() {
    this.#shown = this.#shown === this.#all ? this.#archived : this.#all;
    if (this.#search.isActive) this.#search.clear();
    this.#toggle.setAttribute("aria-pressed", String(this.#shown === this.#archived));
    this.#draw();
    await this.refresh().catch((error) => {
      if (error.status === 401) this.showEmpty();
      else this.page.onTrouble(refusalOf(error));
    });
  }

  async #loadMore() {
    const source = this.#search.isActive ? this.#search : this.#shown;
    if (this.#more.disabled || !source.hasMore) return;
    this.#more.disabled = true;
    try {
      await source.loadMore();
      delete this.#more.dataset.failed;
      this.#draw();
    } catch (error) {
      // From here on by the button alone.
      this.#more.dataset.failed = "1";
      this.page.onTrouble(refusalOf(error));
    } finally {
      this.#more.disabled = false;
    }
  }

  #loadWhenNear() {
    const root = this.#more.parentElement;
    const margins = { root, rootMargin: `${AHEAD_PX}px` };
    const near = new IntersectionObserver((entries) => {
      const isNear = entries.some((entry) => entry.isIntersecting);
      if (!isNear || this.#more.dataset.failed) return;
      // Observed anew: where the next page is short, the button is near still.
      near.unobserve(this.#more);
      this.#loadMore().finally(() => near.observe(this.#more));
    }, margins);
    near.observe(this.#more);
  }

  #draw() {
    const searching = this.#search?.isActive ?? false;
    const { loaded, conversations, hasMore } = this.#shown;
    byId("conversations").hidden = searching;
    byId("search-results").hidden = !searching;
    byId("list-skeleton").hidden = loaded || searching || conversations.length > 0;
    this.#rows.draw(grouped(conversations), this.#current);
    this.#note.hidden = searching || !loaded || conversations.length > 0;
    this.#note.textContent =
      this.#shown === this.#archived
        ? gettext("Nothing is archived.")
        : gettext("Your conversations appear here.");
    byId("archived-heading").hidden = searching || this.#shown !== this.#archived;
    this.#more.hidden = !(searching ? this.#search.hasMore : hasMore);
  }

  #drawFailure(error) {
    const retry = make(
      "button",
      { type: "button", className: "link-button", onclick: () => this.#tryAgain() },
      gettext("Try again"),
    );
    byId("list-skeleton").hidden = true;
    this.#note.hidden = false;
    this.#note.replaceChildren(make("span", {}, refusalOf(error)), " ", retry);
  }

  async #tryAgain() {
    this.#draw();
    this.#note.hidden = true;
    await this.refresh().catch(() => {}); // the list says so itself
  }
}

function read(query) {
  const parameters = new URLSearchParams(query).toString();
  return again(() => ask(`/api/conversations${parameters && `?${parameters}`}`), { attempts: 5 });
}
