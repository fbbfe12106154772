// What stands in the place of messages where there are none.

import { make } from "./dom.js";
import { gettext } from "./i18n.js";

/**
 * A conversation that has not begun.
 * @param {(text: string) => void} onPick hears the suggestion that a person takes
 */
export function beginning(onPick) {
  const suggestions = [
    gettext("What is the capital of France?"),
    gettext("Explain how tides work, with a small table"),
    gettext("Write a haiku about a patient harbour"),
  ];
  const buttons = suggestions.map((text) =>
    make("button", { type: "button", className: "suggestion", onclick: () => onPick(text) }, text),
  );
  return blank(
    gettext("What shall we talk about?"),
    gettext("Close the tab, lose the network, come back tomorrow: the reply is kept."),
    make("div", { className: "suggestions" }, ...buttons),
  );
}

/** A conversation that is not there. */
export function missing() {
  return blank(
    gettext("There is nothing here"),
    gettext("This conversation does not exist, or it belongs to somebody else."),
  );
}

function blank(title, text, ...more) {
  return make("div", { className: "empty" }, make("h2", {}, title), make("p", {}, text), ...more);
}
