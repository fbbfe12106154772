// The dialog that tells what is known of a reply.

import { make } from "./dom.js";
import { detailsOf } from "./figures.js";
import { gettext } from "./i18n.js";

const TITLE = "details-title";

/**
 * Show the details of a reply until they are closed.
 * @param {import("./reply.js").Reply} reply
 * @param {(model: string) => string} nameOf
 */
export function showDetails(reply, nameOf) {
  const list = make("dl", { className: "details" });
  for (const [name, value] of detailsOf(reply, nameOf)) {
    list.append(make("dt", {}, name), make("dd", {}, value));
  }
  const close = make("button", { type: "submit", className: "button" }, gettext("Close"));
  const dialog = make(
    "dialog",
    {
      className: "dialog",
      aria: { labelledby: TITLE },
      on: { close: () => dialog.remove() },
    },
    make(
      "form",
      { method: "dialog" },
      make("h2", { id: TITLE }, gettext("Details of the reply")),
      list,
      make("div", { className: "dialog-buttons" }, close),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
