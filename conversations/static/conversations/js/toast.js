// A short note at the foot of the page, maybe with something to do about it.

import { byId, make } from "./dom.js";

/**
 * Show a note for some seconds, and for as long as somebody is at it.
 * @param {string} text
 * @param {{action?: {label: string, run: () => void}, seconds?: number, onOver?: () => void}} options
 *   `onOver` is called when the note went without its action
 * @returns {() => void} takes the note away at once
 */
export function toast(text, { action, seconds = 6, onOver = () => {} } = {}) {
  let over = false;
  let timer = 0;
  const visits = new Set();
  const come = (how) => () => {
    visits.add(how);
    clearTimeout(timer);
  };
  const go = (how) => () => {
    visits.delete(how);
    clearTimeout(timer);
    if (!visits.size && !over) timer = setTimeout(() => end(true), seconds * 1000);
  };
  const on = {
    pointerenter: come("pointer"),
    pointerleave: go("pointer"),
    focusin: come("focus"),
    focusout: go("focus"),
  };
  // What it stands in is the live region: one that comes with its text is often not read out.
  const note = make("div", { className: "toast", on }, make("span", {}, text));
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
  go("first")();
  return () => end(true);
}
