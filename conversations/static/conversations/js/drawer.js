// The sidebar on small screens: a drawer over the page.

import { byId } from "./dom.js";

export class Drawer {
  #opener = byId("sidebar-open");
  #backdrop = byId("backdrop");
  #page = document.querySelector("main");
  #narrow = matchMedia("(max-width: 52rem)"); // as in sidebar.css

  constructor() {
    this.#opener.addEventListener("click", () => {
      this.open();
      byId("sidebar-close").focus();
    });
    byId("sidebar-close").addEventListener("click", () => this.close());
    this.#narrow.addEventListener("change", () => this.close());
    this.#backdrop.addEventListener("click", () => this.close());
    addEventListener("keydown", (event) => {
      const covered = document.querySelector("dialog[open], :popover-open");
      if (event.key === "Escape" && !covered) this.close();
    });
  }

  open() {
    if (this.#narrow.matches) this.#become(true);
  }

  close() {
    if (!this.#page.inert) return;
    this.#become(false);
    this.#opener.focus();
  }

  #become(open) {
    document.body.classList.toggle("sidebar-shown", open);
    this.#opener.setAttribute("aria-expanded", open);
    this.#backdrop.hidden = !open;
    this.#page.inert = open;
  }
}
