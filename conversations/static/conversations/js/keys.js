// Which keys do what: one table, which both listens and is listed.

import { gettext } from "./i18n.js";

/**
 * Every shortcut. `where` it holds: `field` (the message field listens for itself), `empty` (the
 * message field, with nothing in it), or `page`.
 * @typedef {{name: string, keys: string[], label: string, where: string}} Shortcut
 * @returns {Shortcut[]}
 */
export function shortcuts() {
  return [
    { name: "send", keys: ["Enter"], label: gettext("Send the message"), where: "field" },
    { name: "newline", keys: ["Shift+Enter"], label: gettext("New line"), where: "field" },
    { name: "stop", keys: ["Escape"], label: gettext("Stop the reply"), where: "page" },
    { name: "search", keys: ["Mod+K"], label: gettext("Search conversations"), where: "page" },
    { name: "create", keys: ["Mod+Shift+O"], label: gettext("New conversation"), where: "page" },
    { name: "editLast", keys: ["ArrowUp"], label: gettext("Edit the last question"), where: "empty" },
    { name: "compose", keys: ["Shift+Escape"], label: gettext("Go to the message field"), where: "page" },
    { name: "copyLast", keys: ["Mod+Shift+C"], label: gettext("Copy the last reply"), where: "page" },
    { name: "list", keys: ["?", "Mod+/"], label: gettext("Show these keys"), where: "page" },
  ];
}

/** Whether a press of a key is this combination; `Mod` is ⌘ on a Mac, elsewhere Ctrl. */
export function isPressed(combination, event, isMac) {
  const parts = combination.split("+");
  const key = parts.pop();
  const wants = (name) => parts.includes(name);
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const other = isMac ? event.ctrlKey : event.metaKey;
  if (other || event.altKey || mod !== wants("Mod")) return false;
  // A question mark needs Shift on some keyboards and on others none.
  if (key === "?") return event.key === "?";
  return event.shiftKey === wants("Shift") && event.key.toLowerCase() === key.toLowerCase();
}

/**
 * The shortcut that a press of a key means; null for none.
 * @param {KeyboardEvent} event
 * @param {{isMac: boolean, field: "" | "composer" | "other", empty: boolean, covered: boolean}} now
 *   field: where one writes; empty: nothing is in the composer; covered: by a dialog, a menu, a drawer
 */
export function meant(event, now) {
  // While an input method composes, keys are its own (keyCode 229 is Safari's way).
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return null;
  for (const shortcut of shortcuts()) {
    const { keys, where } = shortcut;
    const key = keys.find((one) => isPressed(one, event, now.isMac));
    if (!key || where === "field") continue;
    // What lies over the page has the keys to itself: Escape closes it.
    if (now.covered) return null;
    if (where === "empty") return now.field === "composer" && now.empty ? shortcut : null;
    // A field has its own use for a bare key: it types it, and Escape leaves off there.
    const bare = !key.includes("+");
    const taken = bare && (now.field === "other" || (now.field === "composer" && key !== "Escape"));
    return taken ? null : shortcut;
  }
  return null;
}

/** How a combination is written for people. */
export function written(combination, isMac) {
  const names = isMac
    ? { Mod: "⌘", Shift: "⇧", Escape: "esc", ArrowUp: "↑", Enter: "↩" }
    : { Mod: gettext("Ctrl"), Shift: gettext("Shift"), Escape: gettext("Esc"), ArrowUp: "↑", Enter: gettext("Enter") };
  return combination.split("+").map((part) => names[part] ?? part);
}

/**
 * Listen to the keys of this page.
 * @param {object} actions what each shortcut does, by name; one that returns false did nothing
 * @param {HTMLTextAreaElement} composer
 */
export function listen(actions, composer) {
  let covered = false;
  // Asked before anything is closed by this very key.
  addEventListener("keydown", () => (covered = isCovered()), { capture: true });
  addEventListener("keydown", (event) => {
    const shortcut = meant(event, {
      isMac: isMac(),
      field: event.target === composer ? "composer" : isField(event.target) ? "other" : "",
      empty: !composer.value,
      covered,
    });
    if (!shortcut || actions[shortcut.name]?.() === false) return;
    if (shortcut.name !== "stop") event.preventDefault();
  });
}

/** Whether this is a Mac, whose keys have other names. */
export function isMac() {
  return /Mac|iPhone|iPad/.test(navigator.platform ?? "");
}

function isCovered() {
  return Boolean(document.querySelector("dialog[open], :popover-open, .sidebar-shown"));
}

function isField(target) {
  return target instanceof Element && Boolean(target.closest("input, textarea, select, [contenteditable]"));
}
