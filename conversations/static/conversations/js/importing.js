// The dialog that takes over conversations from a file, says how far it is and what it came to.

import { request } from "./api.js";
import { make } from "./dom.js";
import { Refused } from "./events.js";
import { gettext, interpolate, ngettext } from "./i18n.js";
import { reasonsOf, summaryOf, typeOf } from "./imported.js";
import { lines } from "./lines.js";
import { refusalOf } from "./words.js";

/**
 * Open the dialog.
 * @param {{onImported?: () => void}} options `onImported` is called when something was taken
 */
export function openImport({ onImported = () => {} } = {}) {
  new ImportDialog(onImported).open();
}

class ImportDialog {
  #onImported;
  #stop = null;
  #input = make("input", {
    type: "file",
    accept: ".json,.jsonl,.zip,application/json,application/zip",
    className: "visually-hidden",
    id: "import-file",
  });
  #choose = make("label", { className: "button", htmlFor: "import-file" }, gettext("Choose a file"));
  #bar = make("progress", { hidden: true, max: 1, aria: { label: gettext("Progress") } });
  #note = make("p", { className: "dialog-note", role: "status" });
  #report = make("div", { className: "import-report", hidden: true });
  #close = make(
    "button",
    { type: "button", className: "button quiet-button", onclick: () => this.#dialog.close() },
    gettext("Close"),
  );
  #dialog;

  constructor(onImported) {
    this.#onImported = onImported;
    this.#input.addEventListener("change", () => this.#take(this.#input.files[0]));
    this.#dialog = make(
      "dialog",
      {
        className: "dialog wide-dialog",
        aria: { labelledby: "import-title" },
        on: { close: () => this.#leave() },
      },
      make("h2", { id: "import-title" }, gettext("Import conversations")),
      make(
        "p",
        {},
        gettext(
          "Take over a file that was exported here, or the export of ChatGPT: its ZIP, or the conversations.json in it. What is here already stays as it is, and nothing is added twice.",
        ),
      ),
      this.#bar,
      this.#note,
      this.#report,
      make("div", { className: "dialog-buttons" }, this.#close, this.#input, this.#choose),
    );
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  #leave() {
    this.#stop?.abort();
    this.#dialog.remove();
  }

  async #take(file) {
    if (!file) return;
    this.#stop = new AbortController();
    this.#draw({ busy: true, note: interpolate(gettext("Sending %s…"), [file.name]) });
    try {
      const report = await this.#send(file, this.#stop.signal);
      this.#draw({ note: summaryOf(report) });
      this.#explain(report);
      if (report.added || report.grown) this.#onImported();
    } catch (error) {
      if (error.name === "AbortError") return this.#onImported();
      this.#draw({ note: refusalOf(error), kind: "alarm" });
    } finally {
      this.#stop = null;
      this.#input.value = "";
    }
  }

  async #send(file, signal) {
    const response = await request("/api/import", {
      method: "POST",
      body: file,
      headers: { "Content-Type": typeOf(file.name), Accept: "application/jsonl" },
      signal,
    });
    if (!response.ok) throw await Refused.from(response);
    for await (const said of lines(response.body)) {
      if (said.report) return said.report;
      if (said.error) throw new Refused(503, said.error);
      this.#progress(said.progress);
    }
    throw new Refused(503, {
      code: "cut",
      message: gettext("The import was cut off. Choose the file again: it goes on from there."),
    });
  }

  #progress({ done, total }) {
    this.#bar.max = total;
    this.#bar.value = done;
    this.#note.textContent = interpolate(
      ngettext("%s of %s conversation", "%s of %s conversations", total),
      [done, total],
    );
  }

  #draw({ busy = false, note, kind = "" }) {
    this.#bar.hidden = !busy;
    this.#bar.removeAttribute("value");
    this.#choose.hidden = busy;
    this.#input.disabled = busy;
    this.#close.textContent = busy ? gettext("Cancel") : gettext("Close");
    this.#note.textContent = note;
    this.#note.dataset.kind = kind;
    this.#report.hidden = true;
  }

  /** Say what was not taken, and why. */
  #explain(report) {
    const missing = reasonsOf(report);
    if (!missing.length) return;
    const list = report.conversations.map((one) => {
      const title = one.title || gettext("New conversation");
      return make("li", { dir: "auto" }, `${title}: ${reasonsOf(one).join(", ")}`);
    });
    if (report.unlisted) {
      const more = ngettext("and %s more", "and %s more", report.unlisted);
      list.push(make("li", {}, interpolate(more, [report.unlisted])));
    }
    this.#report.replaceChildren(
      make("p", {}, interpolate(gettext("Not taken: %s."), [missing.join(", ")])),
      make(
        "details",
        { hidden: !list.length },
        make("summary", {}, gettext("Conversations of which something is missing")),
        make("ul", {}, ...list),
      ),
    );
    this.#report.hidden = false;
  }
}
