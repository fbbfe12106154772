// A long export, with what has come of it so far: its length is not known until its end.

import { Refused } from "./events.js";
import { make } from "./dom.js";
import { LANGUAGE, gettext, interpolate } from "./i18n.js";
import { buttons, openPanel } from "./panel.js";
import { address } from "./places.js";
import { refusalOf } from "./words.js";

const size = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1, minimumFractionDigits: 1 });

/**
 * Load what lies at a path of ours, show how much has come, and have the browser save it.
 * @param {string} path
 * @returns {Promise<void>} once the dialog is closed; closing it ends the export
 */
export async function exportAs(path) {
  const panel = openPanel(gettext("Export"));
  const abort = new AbortController();
  const bar = make("progress", { aria: { label: gettext("Progress") } });
  const state = make("p", { role: "status" }, gettext("Preparing the file…"));
  const foot = buttons("", panel.close);
  foot.lastElementChild.remove();
  panel.body.replaceChildren(bar, state, foot);
  panel.closed.then(() => abort.abort());
  try {
    const { name, parts } = await load(path, abort.signal, (bytes) => {
      state.textContent = interpolate(gettext("%s MB so far"), [size.format(bytes / 1e6)]);
    });
    save(name, parts);
    panel.close();
  } catch (error) {
    if (abort.signal.aborted) return;
    bar.hidden = true;
    state.textContent = "";
    panel.say(
      error instanceof Refused
        ? refusalOf(error)
        : gettext("The file is not complete: the connection was lost."),
    );
  }
  await panel.closed;
}

async function load(path, signal, onBytes) {
  const response = await fetch(address(path), { signal, cache: "no-store" });
  if (!response.ok) throw await Refused.from(response);
  const parts = [];
  let bytes = 0;
  const reader = response.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    parts.push(new Blob([piece.value])); // the browser may put it on its disk
    onBytes((bytes += piece.value.length));
  }
  return { name: nameOf(response.headers.get("Content-Disposition") ?? ""), parts };
}

/** The name that a Content-Disposition gives. */
export function nameOf(disposition) {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  if (encoded) return decodeURIComponent(encoded);
  return /filename="([^"]*)"/.exec(disposition)?.[1] ?? "";
}

function save(name, parts) {
  const url = URL.createObjectURL(new Blob(parts));
  const link = make("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
