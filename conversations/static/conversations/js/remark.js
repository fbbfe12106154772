// What a reader has to say about a reply, beside thumbs.

import { make } from "./dom.js";
import { gettext, interpolate, ngettext } from "./i18n.js";
import { buttons, field, openPanel } from "./panel.js";

/** What the server takes, see docs/protocol.md. */
export const COMMENT_CHARACTERS = 2000;
const NEAR = 200;

/**
 * Ask.
 * @param {{rating: number, comment: string}} given so far
 * @returns {Promise<string | null>} null where nothing is to change
 */
export async function askRemark({ rating, comment }) {
  const title = rating > 0 ? gettext("What was good about it?") : gettext("What was wrong with it?");
  const panel = openPanel(title);
  const text = make("textarea", { rows: 5, maxLength: COMMENT_CHARACTERS, value: comment });
  const counter = make("p", { className: "field-hint", role: "status" });
  const count = () => (counter.textContent = leftOf(text.value));
  let said = null;
  const send = () => {
    said = text.value.trim();
    panel.close();
  };
  const form = make(
    "form",
    {},
    field(gettext("Comment"), text),
    counter,
    buttons(gettext("Send"), panel.close),
  );
  text.addEventListener("input", count);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    send();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  panel.body.replaceChildren(form);
  count();
  text.focus();
  await panel.closed;
  return said;
}

/** How much room is left, once it matters. */
export function leftOf(text) {
  const left = COMMENT_CHARACTERS - text.length;
  if (left > NEAR) return "";
  return interpolate(ngettext("%s character left", "%s characters left", left), [left]);
}
