// The dialog that asks for a yes, or for a line of text.

import { byId } from "./dom.js";

/**
 * Ask.
 * @param {{title: string, text?: string, confirm: string, value?: string, danger?: boolean}} question
 *   with `value`, a line of text is asked for
 * @returns {Promise<string | null>} the text, or "" for a plain yes; null for no
 */
export function askPerson({ title, text = "", confirm, value, danger = false }) {
  const [dialog, input, button] = ["dialog", "dialog-input", "dialog-confirm"].map(byId);
  byId("dialog-title").textContent = title;
  byId("dialog-text").textContent = text;
  byId("dialog-text").hidden = !text;
  input.hidden = value === undefined;
  input.value = value ?? "";
  button.textContent = confirm;
  button.classList.toggle("danger-button", danger);
  dialog.returnValue = "";
  dialog.showModal();
  if (value === undefined) button.focus();
  else input.select();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "confirm" ? input.value : null),
      { once: true },
    );
    // Enter in the field means the confirming button, not the first one.
    input.onkeydown = (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      dialog.close("confirm");
    };
  });
}
