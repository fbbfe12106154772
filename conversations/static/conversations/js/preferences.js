// How the page looks and works in this browser, and what becomes of a person's account.

import { forgetBrowser, post } from "./account.js";
import { byId, make } from "./dom.js";
import { gettext } from "./i18n.js";
import { exportAs, leaveForGood } from "./ondemand.js";
import { address } from "./places.js";
import { sheet } from "./sheet.js";
import { themeChoice } from "./theme.js";
import { transportChoice } from "./transport.js";

/**
 * @typedef {{label: string, options: [string, string][], value: string, onChange: (value: string) => void}} Choice
 * @typedef {{label: string, run: () => void, danger?: boolean}} Deed
 */

/**
 * Show the settings of this browser and of the account.
 * @param {object} person
 * @param {object | null} person.user null where nobody is here
 * @param {string} person.name
 * @param {boolean} person.hasAccount
 * @param {() => void} person.onTransport called when replies shall come another way
 */
export function showPreferences({ onTransport, ...person }) {
  const choices = [theme(), ...languageOf(byId("account").dataset), transport(onTransport)];
  const deeds = person.user ? deedsOf(person) : [];
  const dialog = sheet(
    gettext("Settings"),
    make("div", { className: "choices" }, ...choices.map(choice)),
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

function languageOf({ languages, language, languageAddress }) {
  const options = JSON.parse(languages);
  if (!options.length) return [];
  const onChange = (code) => post(languageAddress, { language: code, next: location.pathname });
  return [{ label: gettext("Language"), options, value: language, onChange }];
}

function transport(onTransport) {
  return {
    label: gettext("Replies come over"),
    options: [
      ["auto", gettext("Whatever fits")],
      ["sse", gettext("Server-sent events")],
      ["socket", gettext("WebSocket")],
      ["poll", gettext("Plain requests, now and then")],
    ],
    value: transportChoice.get(),
    onChange(choice) {
      transportChoice.set(choice);
      onTransport();
    },
  };
}

function deedsOf({ user, name, hasAccount }) {
  const { keys, password, signOut } = byId("account").dataset;
  const deeds = [{ label: gettext("Export my data"), run: () => exportAs("/api/account/export") }];
  if (hasAccount) deeds.push({ label: gettext("API keys"), run: () => location.assign(keys) });
  if (hasAccount && password) {
    deeds.unshift({ label: gettext("Change password"), run: () => location.assign(password) });
  }
  if (hasAccount ? signOut : true) {
    const run = () => leave({ name, password: user.password });
    deeds.push({ label: gettext("Delete my account"), run, danger: true });
  }
  return deeds;
}

async function leave(person) {
  if (!(await leaveForGood(person))) return;
  forgetBrowser();
  location.assign(address("/"));
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
