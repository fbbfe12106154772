// The sidebar on small screens: a drawer over the page.

import { byId } from "./dom.js";

export class Drawer {
  #opener = byId("sidebar-open");
  #backdrop = byId("backdrop");

  constructor() {
    this.#opener.addEventListener("click", () => {
      this.open();
      byId("sidebar-close").focus();
    });
    byId("sidebar-close").addEventListener("click", () => {
      this.close();
      this.#opener.focus();
    });
    this.#backdrop.addEventListener("click", () => this.close());
    addEventListener("keydown", (event) => {
      const covered = document.querySelector("dialog[open], :popover-open");
      if (event.key === "Escape" && !covered) this.close();
    });
  }

  open() {
    document.body.classList.add("sidebar-shown");
    this.#opener.setAttribute("aria-expanded", "true");
    this.#backdrop.hidden = false;
  }

  close() {
    document.body.classList.remove("sidebar-shown");
    this.#opener.setAttribute("aria-expanded", "false");
    this.#backdrop.hidden = true;
  }
}
