// What is done in some seconds, unless it is taken back.

import { gettext } from "./i18n.js";
import { toast } from "./toast.js";

const waiting = new Set();

/**
 * Say that something is done, offer to take it back, and do it when that was not asked for; at
 * once where the page is left or hidden, since it may never come back.
 * @param {string} text
 * @param {{run: () => void, undo: () => void}} deed
 */
export function later(text, { run, undo }) {
  const action = {
    label: gettext("Undo"),
    run() {
      waiting.delete(end);
      undo();
    },
  };
  const end = toast(text, {
    action,
    onOver() {
      waiting.delete(end);
      run();
    },
  });
  waiting.add(end);
}

function doNow() {
  for (const end of [...waiting]) end();
}

globalThis.addEventListener?.("pagehide", doNow);
globalThis.document?.addEventListener("visibilitychange", () => document.hidden && doNow());
