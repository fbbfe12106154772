// Search through titles and texts.

import { ask } from "./api.js";
import { byId, make } from "./dom.js";
import { gettext, interpolate, ngettext } from "./i18n.js";
import { pieces } from "./marks.js";
import { address } from "./places.js";
import { nameOf } from "./rows.js";
import { refusalOf } from "./words.js";

const PATIENCE_MS = 180;

export class Search {
  #field = byId("search");
  #results = byId("results");
  #note = byId("search-note");
  #timer = 0;
  #request = null;
  #before = null;
  #sought = "";
  #shown = "";
  #page;

  /**
   * @param {{onFound: (id: string, messageId: string | null, sought: string) => void,
   *   onChange: () => void}} page `onChange`: searching began, ended, or found something
   */
  constructor(page) {
    this.#page = page;
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#results.addEventListener("keydown", (event) => this.#move(event));
    this.#results.addEventListener("click", (event) => this.#choose(event));
  }

  /** Whether something is looked for. */
  get isActive() {
    return this.#sought !== "";
  }

  get hasMore() {
    return this.#before !== null;
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** Look no longer. */
  clear() {
    this.#field.value = "";
    this.#typed();
  }

  /** Read the next page of what was found. */
  async loadMore() {
    const sought = this.#sought;
    const page = await ask(path(sought, this.#before));
    if (sought !== this.#sought) return;
    this.#take(page);
  }

  #typed() {
    const sought = this.#field.value.trim();
    if (sought === this.#sought) return;
    this.#sought = sought;
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#before = null;
    if (sought) this.#timer = setTimeout(() => this.#look(), PATIENCE_MS);
    else this.#show([], "");
    this.#page.onChange();
  }

  /** Ask; only the answer to what the field says now is shown. */
  async #look() {
    const request = new AbortController();
    this.#request = request;
    this.#results.setAttribute("aria-busy", "true");
    if (!this.#results.children.length) this.#note.textContent = gettext("Searching…");
    try {
      const page = await ask(path(this.#sought), { signal: request.signal });
      if (request.signal.aborted) return;
      this.#results.replaceChildren();
      this.#take(page);
    } catch (error) {
      if (request.signal.aborted) return;
      // Who is not known yet has said nothing that could be found.
      if (error.status === 401) this.#take({ conversations: [] });
      else this.#fail(error);
    } finally {
      if (this.#request === request) this.#results.removeAttribute("aria-busy");
    }
  }

  #take({ conversations, before }) {
    this.#before = before ?? null;
    const rows = [...this.#results.children, ...conversations.map((one) => this.#row(one))];
    const count = rows.length;
    const found = before
      ? interpolate(gettext("More than %s conversations found"), [count])
      : interpolate(ngettext("%s conversation found", "%s conversations found", count), [count]);
    this.#show(rows, count ? found : gettext("Nothing found."));
    this.#page.onChange();
  }

  #fail(error) {
    const retry = make(
      "button",
      { type: "button", className: "link-button", onclick: () => this.#look() },
      gettext("Try again"),
    );
    this.#show([], refusalOf(error), retry);
    this.#page.onChange();
  }

  #show(rows, text, ...more) {
    this.#shown = this.#sought;
    this.#results.replaceChildren(...rows);
    this.#note.replaceChildren(make("span", {}, text), ...more);
    if (!text) this.#note.replaceChildren();
  }

  #row({ id, title, archived, excerpt, message_id }) {
    const head = make("span", { className: "result-title", dir: "auto" });
    head.append(...marked(nameOf({ title }), this.#sought));
    const link = make("a", { href: address(`/c/${id}`), className: "result-link" }, head);
    if (archived) link.append(make("span", { className: "result-tag" }, gettext("Archived")));
    if (excerpt) {
      const text = make("span", { className: "result-excerpt", dir: "auto" });
      text.append(...marked(excerpt, this.#sought));
      link.append(text);
    }
    return make("li", { data: { id, message: message_id ?? "" } }, link);
  }

  #choose(event) {
    const modified = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
    const row = event.target.closest("li");
    if (!row || modified) return;
    event.preventDefault();
    this.#page.onFound(row.dataset.id, row.dataset.message || null, this.#sought);
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape" && this.#field.value) {
      // Only this: Escape would stop a reply, too.
      event.preventDefault();
      event.stopPropagation();
      this.clear();
    } else if (event.key === "Enter") {
      // Until there is an answer, what is shown was found for other words.
      if (this.#shown === this.#sought) this.#links[0]?.click();
    } else this.#move(event);
  }

  #move(event) {
    const links = this.#links;
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && links.length) links[Math.min(at + 1, links.length - 1)].focus();
    else if (event.key === "ArrowUp" && at > 0) links[at - 1].focus();
    else if (event.key === "ArrowUp" && at === 0) this.#field.focus();
    else return;
    event.preventDefault();
  }

  get #links() {
    return [...this.#results.querySelectorAll("a")];
  }
}

function marked(text, sought) {
  return pieces(text, sought).map((piece) => (piece.hit ? make("mark", {}, piece.text) : piece.text));
}

function path(search, before) {
  const query = new URLSearchParams(before ? { search, before } : { search });
  return `/api/conversations?${query}`;
}
