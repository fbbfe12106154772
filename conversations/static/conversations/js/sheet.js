// A dialog with a title, whatever is put into it, and a button to close it.

import { icon, ICONS, make } from "./dom.js";
import { gettext } from "./i18n.js";

let count = 0;

/**
 * Open a dialog; when it is closed, it is gone.
 * @param {string} title
 * @param {...Node} children
 * @returns {HTMLDialogElement}
 */
export function sheet(title, ...children) {
  const id = `sheet-${(count += 1)}`;
  const close = make(
    "button",
    { type: "button", className: "icon-button", aria: { label: gettext("Close") }, onclick: () => dialog.close() },
    icon(ICONS.cross),
  );
  const head = make("div", { className: "sheet-head" }, make("h2", { id }, title), close);
  const dialog = make("dialog", { className: "dialog sheet", aria: { labelledby: id } }, head, ...children);
  const before = document.activeElement;
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
