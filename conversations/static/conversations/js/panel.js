// A dialog with a form of its own, made when it opens.

import { make } from "./dom.js";
import { gettext } from "./i18n.js";

let opened = 0;

/**
 * Open a dialog.
 * @param {string} title
 * @param {{className?: string}} options
 * @returns {{dialog: HTMLDialogElement, body: HTMLElement, say: (problem: string) => void,
 *   close: () => void, closed: Promise<void>}} `body` is to be filled; `say` shows what went wrong
 */
export function openPanel(title, { className = "" } = {}) {
  const heading = make("h2", { id: `panel-${++opened}` }, title);
  const alert = make("p", { className: "panel-alert", role: "alert", hidden: true });
  const body = make("div", { className: "panel-body" });
  const dialog = make(
    "dialog",
    { className: `dialog panel ${className}`, aria: { labelledby: heading.id } },
    heading,
    alert,
    body,
  );
  const before = document.activeElement;
  document.body.append(dialog);
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      giveBack(before);
      resolve();
    });
  });
  dialog.showModal();
  return {
    dialog,
    body,
    closed,
    close: () => dialog.close(),
    say(problem) {
      alert.textContent = problem;
      alert.hidden = !problem;
    },
  };
}

// The browser gave the focus back already, but Chromium 156 takes the caret away with the dialog:
// a field that is focused takes no keys then, until it is focused anew.
function giveBack(element) {
  if (!element?.isConnected) return;
  element.blur();
  element.focus();
}

/**
 * A named field of a form.
 * @param {string} label
 * @param {HTMLElement} control gets the name
 * @param {string} hint says more below it
 */
export function field(label, control, hint = "") {
  control.id ||= `field-${++opened}`;
  const parts = [make("label", { htmlFor: control.id }, label), control];
  if (hint) {
    const note = make("p", { className: "field-hint", id: `${control.id}-hint` }, hint);
    control.setAttribute("aria-describedby", note.id);
    parts.push(note);
  }
  return make("div", { className: "field" }, ...parts);
}

/** The buttons at the foot of a form; the last one confirms. */
export function buttons(confirm, onCancel) {
  return make(
    "div",
    { className: "dialog-buttons" },
    make(
      "button",
      { type: "button", className: "button quiet-button", onclick: onCancel },
      gettext("Cancel"),
    ),
    make("button", { type: "submit", className: "button" }, confirm),
  );
}
