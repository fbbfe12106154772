// A short note at the foot of the page, maybe with something to do about it.

import { byId, make } from "./dom.js";

/**
 * Show a note for some seconds.
 * @param {string} text
 * @param {{action?: {label: string, run: () => void}, seconds?: number, onOver?: () => void}} options
 *   `onOver` is called when the note went without its action
 * @returns {() => void} takes the note away at once
 */
export function toast(text, { action, seconds = 6, onOver = () => {} } = {}) {
  let over = false;
  const note = make("div", { className: "toast", role: "status" }, make("span", {}, text));
  const timer = setTimeout(() => end(true), seconds * 1000);
  const end = (byItself) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    note.remove();
    if (byItself) onOver();
  };
  if (action) {
    const run = () => {
      end(false);
      action.run();
    };
    note.append(make("button", { type: "button", className: "toast-action", onclick: run }, action.label));
  }
  byId("toasts").append(note);
  return () => end(true);
}
