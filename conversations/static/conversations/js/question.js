// What a person said, on the page: shown as it was written.

import { QuestionActions } from "./actions.js";
import { make } from "./dom.js";
import { Editor } from "./editor.js";
import { enclosed } from "./enclosed.js";
import { attachmentsOf } from "./files.js";
import { gettext } from "./i18n.js";

export class Question {
  #text = make("div", { className: "question-text", dir: "auto" });
  #actions;
  #editor = null;

  /**
   * @param {object} message
   * @param {import("./actions.js").Page} page
   */
  constructor(message, page) {
    this.message = message;
    this.page = page;
    this.#text.textContent = message.content;
    this.#text.hidden = !message.content;
    const attachments = attachmentsOf(message);
    this.#actions = new QuestionActions(message, page, () => this.edit());
    this.element = make(
      "article",
      {
        className: "message question",
        data: { message: message.id },
        aria: { label: gettext("You") },
      },
      ...(attachments.length ? [enclosed(attachments)] : []),
      this.#text,
      this.#actions.element,
    );
  }

  get branches() {
    return this.#actions.branches;
  }

  get isEdited() {
    return this.#editor !== null;
  }

  /** Write the question anew, in its place. */
  edit(text = this.message.content) {
    if (this.#editor) return this.#editor.begin();
    this.#editor = new Editor(text, {
      onSave: (text) => this.page.onAction("edit", this.message, text),
      onCancel: () => this.#close(),
      mayBeEmpty: attachmentsOf(this.message).length > 0,
    });
    this.#text.hidden = this.#actions.element.hidden = true;
    this.element.classList.add("is-edited");
    this.element.append(this.#editor.element);
    this.#editor.begin();
  }

  #close() {
    this.#editor.element.remove();
    this.#editor = null;
    this.#text.hidden = !this.message.content;
    this.#actions.element.hidden = false;
    this.element.classList.remove("is-edited");
    this.#actions.edit.focus();
  }
}
