// How the page looks and works in this browser, and what becomes of a person's account.

import { make } from "./dom.js";
import { gettext } from "./i18n.js";
import { sheet } from "./sheet.js";
import { themeChoice } from "./theme.js";

/**
 * @typedef {{label: string, options: [string, string][], value: string, onChange: (value: string) => void}} Choice
 * @typedef {{label: string, run: () => void, danger?: boolean}} Deed
 */

/**
 * Show the settings of this browser and of the account.
 * @param {{choices: Choice[], deeds: Deed[]}} more what the page offers beside the theme
 */
export function showPreferences({ choices, deeds }) {
  const dialog = sheet(
    gettext("Settings"),
    make("div", { className: "choices" }, ...[theme(), ...choices].map(choice)),
    ...(deeds.length ? [make("h3", {}, gettext("Your account"))] : []),
    make("div", { className: "deeds" }, ...deeds.map((one) => deed(one, () => dialog.close()))),
  );
  return dialog;
}

function theme() {
  return {
    label: gettext("Theme"),
    options: [
      ["system", gettext("As the system")],
      ["light", gettext("Light")],
      ["dark", gettext("Dark")],
    ],
    value: themeChoice.get(),
    onChange: themeChoice.set,
  };
}

function choice({ label, options, value, onChange }) {
  const select = make("select", { onchange: () => onChange(select.value) });
  select.append(...options.map(([key, name]) => make("option", { value: key }, name)));
  select.value = value;
  return make("label", { className: "choice" }, make("span", {}, label), select);
}

function deed({ label, run, danger = false }, close) {
  return make(
    "button",
    {
      type: "button",
      className: danger ? "button quiet-button danger-deed" : "button quiet-button",
      onclick() {
        close();
        run();
      },
    },
    label,
  );
}
