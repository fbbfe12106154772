// The list of keys, in a dialog.

import { make } from "./dom.js";
import { gettext } from "./i18n.js";
import { isMac, shortcuts, written } from "./keys.js";
import { sheet } from "./sheet.js";

/** Show which keys do what. */
export function showShortcuts() {
  const rows = shortcuts().map(({ keys, label }) =>
    make("div", { className: "key-row" }, make("dt", {}, label), make("dd", {}, ...ways(keys))),
  );
  sheet(gettext("Keyboard shortcuts"), make("dl", { className: "key-list" }, ...rows));
}

function ways(keys) {
  return keys.map((combination) =>
    make("span", {}, ...written(combination, isMac()).map((key) => make("kbd", {}, key))),
  );
}
