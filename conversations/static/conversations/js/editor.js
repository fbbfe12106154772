// A question that is written anew, in its place.

import { make } from "./dom.js";
import { gettext } from "./i18n.js";

const MAX_HEIGHT_PX = 400;

export class Editor {
  #field;

  /**
   * @param {string} text
   * @param {{onSave: (text: string) => void, onCancel: () => void, mayBeEmpty?: boolean}} owner
   */
  constructor(text, { onSave, onCancel, mayBeEmpty = false }) {
    this.mayBeEmpty = mayBeEmpty;
    this.onSave = onSave;
    this.onCancel = onCancel;
    this.#field = make("textarea", {
      className: "editor-field",
      value: text,
      rows: 1,
      dir: "auto",
      enterKeyHint: "send",
      aria: { label: gettext("Edit the message") },
      oninput: () => this.#fit(),
    });
    const cancel = { type: "button", className: "button quiet-button", onclick: () => onCancel() };
    this.element = make(
      "form",
      { className: "editor", on: { submit: (e) => this.#save(e), keydown: (e) => this.#key(e) } },
      this.#field,
      make(
        "div",
        { className: "editor-buttons" },
        make("button", cancel, gettext("Cancel")),
        make("button", { type: "submit", className: "button" }, gettext("Save & send")),
      ),
    );
  }

  /** The editor is on the page: begin at the end of the text. */
  begin() {
    this.#fit();
    this.#field.focus();
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
  }

  #save(event) {
    event.preventDefault();
    const text = this.#field.value.trim();
    if (text || this.mayBeEmpty) this.onSave(text);
    else this.#field.focus();
  }

  #key(event) {
    // While an input method composes, its keys are its own (keyCode 229 is Safari's way).
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      // Esc would stop the reply otherwise.
      event.stopPropagation();
      event.preventDefault();
      this.onCancel();
    }
    const sends = event.key === "Enter" && !event.shiftKey && !event.altKey;
    if (sends && event.target === this.#field) this.#save(event);
  }

  #fit() {
    const { style } = this.#field;
    style.height = "auto";
    style.height = `${Math.min(this.#field.scrollHeight, MAX_HEIGHT_PX)}px`;
  }
}
