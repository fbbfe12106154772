// The list that opens when a message begins with a slash: a prompt to insert.
//
// A textarea may not be a combobox (ARIA in HTML): it stays a text field that controls a listbox.

import { byId, make } from "./dom.js";
import { gettext, interpolate, ngettext } from "./i18n.js";
import { openPrompts, readPrompts } from "./ondemand.js";
import { fitting, soughtIn } from "./slash.js";

export class PromptList {
  #field = byId("message");
  #list = make("ul", {
    id: "prompt-list",
    className: "prompt-list",
    role: "listbox",
    hidden: true,
    aria: { label: gettext("Prompts") },
  });
  #spoken = make("p", { className: "visually-hidden", role: "status" });
  #composer;
  #prompts = null;
  #dismissed = false;
  #choices = [];
  #active = -1;

  /** @param {{text: string, focus: () => void}} composer */
  constructor(composer) {
    this.#composer = composer;
    this.#field.setAttribute("aria-autocomplete", "list");
    byId("composer").before(this.#list, this.#spoken);
    this.#field.addEventListener("input", () => this.#typed());
    // Before the composer, for which Enter sends and Escape stops.
    this.#field.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    this.#field.addEventListener("blur", () => this.#close());
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose([...this.#list.children].indexOf(option));
    });
  }

  /** Show what fits the text that is there. */
  look() {
    return this.#typed();
  }

  async #typed() {
    const sought = soughtIn(this.#field.value);
    if (sought === null) {
      this.#dismissed = false;
      return this.#close();
    }
    if (this.#dismissed) return;
    if (this.#list.hidden) await this.#load();
    // Meanwhile something else may have been typed.
    const now = soughtIn(this.#field.value);
    if (now !== null && !this.#dismissed && document.activeElement === this.#field) this.#show(now);
  }

  async #load() {
    try {
      this.#prompts = await readPrompts();
    } catch {
      this.#prompts ??= []; // the dialog says what is wrong
    }
  }

  #show(sought) {
    const found = fitting(this.#prompts, sought);
    if (!found.length && sought) return this.#close();
    const rows = found.map((prompt) => this.#option(prompt.name, prompt.content, () => this.#insert(prompt)));
    if (!sought) rows.push(this.#option(gettext("Manage prompts…"), "", () => this.#manage()));
    this.#list.replaceChildren(...rows.map(({ element }, index) => identified(element, index)));
    this.#choices = rows.map(({ run }) => run);
    this.#list.hidden = false;
    this.#field.setAttribute("aria-controls", this.#list.id);
    this.#activate(0);
    this.#spoken.textContent = interpolate(
      ngettext("%s prompt to choose from", "%s prompts to choose from", found.length),
      [found.length],
    );
  }

  #option(name, content, run) {
    const element = make(
      "li",
      { className: "prompt-option", role: "option" },
      make("strong", { dir: "auto" }, name),
    );
    if (content) element.append(make("span", { dir: "auto" }, content.slice(0, 120)));
    return { element, run };
  }

  #key(event) {
    if (this.#list.hidden || event.isComposing || event.keyCode === 229) return;
    const last = this.#list.children.length - 1;
    const { key } = event;
    if (key === "ArrowDown") this.#activate(this.#active === last ? 0 : this.#active + 1);
    else if (key === "ArrowUp") this.#activate(this.#active === 0 ? last : this.#active - 1);
    else if (key === "Enter" && !event.shiftKey) this.#choose(this.#active);
    else if (key === "Tab" && !event.shiftKey) this.#choose(this.#active);
    else if (key === "Escape") {
      this.#dismissed = true;
      this.#close();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  #activate(index) {
    this.#active = index;
    [...this.#list.children].forEach((option, n) => {
      option.setAttribute("aria-selected", String(n === index));
      if (n !== index) return;
      this.#field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    });
  }

  #choose(index) {
    const run = this.#choices[index];
    this.#close();
    run?.();
  }

  #insert({ content }) {
    this.#composer.text = content;
    this.#composer.focus();
    this.#field.setSelectionRange(content.length, content.length);
    this.#field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  async #manage() {
    this.#composer.text = "";
    await openPrompts();
    this.#composer.focus();
  }

  #close() {
    if (this.#list.hidden) return;
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#spoken.textContent = "";
    this.#field.removeAttribute("aria-controls");
    this.#field.removeAttribute("aria-activedescendant");
  }
}

function identified(element, index) {
  element.id = `prompt-option-${index}`;
  return element;
}
