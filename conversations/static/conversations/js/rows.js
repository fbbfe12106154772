// The rows of the list, under their headings. What is there is moved, never built anew.

import { ICONS, make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";
import { menuButton } from "./menu.js";
import { address } from "./places.js";

/** What an untitled conversation is called. */
export function nameOf(conversation) {
  return conversation?.title || gettext("New conversation");
}

export class Rows {
  #container;
  #menuOf;
  #rows = new Map();
  #groups = new Map();

  /**
   * @param {HTMLElement} container
   * @param {(id: string) => import("./menu.js").Item[]} menuOf what can be done with one
   */
  constructor(container, menuOf) {
    this.#container = container;
    this.#menuOf = menuOf;
  }

  /** @param {import("./groups.js").Group[]} groups @param {string | null} current */
  draw(groups, current) {
    const focused = this.#container.contains(document.activeElement) ? document.activeElement : null;
    const shown = new Set();
    const elements = groups.map(({ key, label, conversations }) => {
      const group = this.#group(key, label);
      arrange(group.list, conversations.map((one) => this.#row(one, current)));
      conversations.forEach(({ id }) => shown.add(id));
      return group.element;
    });
    arrange(this.#container, elements);
    const keys = new Set(groups.map(({ key }) => key));
    for (const key of this.#groups.keys()) if (!keys.has(key)) this.#groups.delete(key);
    for (const id of this.#rows.keys()) if (!shown.has(id)) this.#rows.delete(id);
    // Moving a row takes the focus away from what is in it.
    if (focused?.isConnected && document.activeElement !== focused) focused.focus();
  }

  /** Mark the conversation that is open. */
  mark(current) {
    for (const [id, { link }] of this.#rows) {
      if (id === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** A row is about to go: where it has the focus, give that to the next one, or the one before. */
  passFocusOn(id) {
    const row = this.#rows.get(id);
    if (!row?.element.contains(document.activeElement)) return;
    const links = [...this.#container.querySelectorAll(".conversation-link")];
    const at = links.indexOf(row.link);
    (links[at + 1] ?? links[at - 1])?.focus();
  }

  #group(key, label) {
    if (!this.#groups.has(key)) this.#groups.set(key, newGroup(key));
    const group = this.#groups.get(key);
    if (group.heading.textContent !== label) group.heading.textContent = label;
    return group;
  }

  #row(conversation, current) {
    const { id } = conversation;
    if (!this.#rows.has(id)) this.#rows.set(id, this.#newRow(id));
    const { element, link, button } = this.#rows.get(id);
    const name = nameOf(conversation);
    if (link.textContent !== name) {
      link.textContent = link.title = name;
      button.setAttribute("aria-label", interpolate(gettext("Options for %s"), [name]));
    }
    if (id === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    return element;
  }

  #newRow(id) {
    const link = make("a", {
      href: address(`/c/${id}`),
      className: "conversation-link",
      dir: "auto",
      data: { route: "" },
    });
    const button = menuButton({
      label: gettext("Options"),
      path: ICONS.dots,
      className: "icon-button row-button",
      items: () => this.#menuOf(id),
    });
    const element = make("li", { className: "conversation-row", data: { id } }, link, button);
    return { element, link, button };
  }
}

function newGroup(key) {
  const heading = make("h2", { className: "group-heading", id: `group-${key}` });
  const list = make("ul", { aria: { labelledby: heading.id } });
  const element = make("section", { className: "conversation-group" }, heading, list);
  return { element, heading, list };
}

/** Make these the children, in this order, and move only what stands elsewhere. */
function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((child, index) => {
    const place = parent.children[index];
    if (place !== child) parent.insertBefore(child, place ?? null);
  });
}
