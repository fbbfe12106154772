// The dialog that shares a conversation: create the link, copy it, bring it up to date, take it back.

import { again } from "./again.js";
import { ask } from "./api.js";
import { copyText } from "./clipboard.js";
import { make } from "./dom.js";
import { gettext, interpolate, LANGUAGE } from "./i18n.js";
import { refusalOf } from "./words.js";

/**
 * Open the dialog.
 * @param {{id: string, title: string}} conversation
 */
export async function openShare(conversation) {
  const dialog = new ShareDialog(conversation);
  dialog.open();
  await dialog.read();
}

class ShareDialog {
  #path;
  #share = null;
  #title = make("input", { type: "text", maxLength: 200, autocomplete: "off", name: "title" });
  #description = make("textarea", { maxLength: 300, rows: 2, name: "description" });
  #indexable = make("input", { type: "checkbox", name: "indexable" });
  #reasoning = make("input", { type: "checkbox", name: "reasoning" });
  #link = make("input", { type: "text", readOnly: true, name: "link" });
  #linkRow;
  #note = make("p", { className: "dialog-note", role: "status" });
  #stop = button("quiet-button danger-link", gettext("Stop sharing"), () => this.#revoke());
  #save = button("", gettext("Create link"), () => this.#publish());
  #dialog;

  constructor(conversation) {
    this.#path = `/api/conversations/${conversation.id}/share`;
    this.#title.value = conversation.title;
    this.#link.setAttribute("aria-label", gettext("Link"));
    this.#link.addEventListener("focus", () => {
      this.#link.select();
      this.#link.scrollLeft = 0;
    });
    this.#linkRow = make(
      "div",
      { className: "link-row", hidden: true },
      this.#link,
      button("", gettext("Copy link"), () => this.#copy()),
    );
    this.#dialog = this.#built();
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#draw();
  }

  /** Learn whether the conversation is shared already. */
  async read() {
    this.#dialog.setAttribute("aria-busy", "true");
    await this.#attempt(async () => {
      const { share } = await again(() => ask(this.#path), { attempts: 3 });
      if (share) this.#take(share);
      this.#draw();
    });
    this.#dialog.removeAttribute("aria-busy");
  }

  #built() {
    const explained = gettext(
      "Whoever has the link can read the messages that you see now. What comes later is not shown until you update the link.",
    );
    return make(
      "dialog",
      {
        className: "dialog wide-dialog",
        aria: { labelledby: "share-title" },
        on: { close: () => this.#dialog.remove() },
      },
      make(
        "form",
        { method: "dialog", on: { submit: (event) => this.#submit(event) } },
        make("h2", { id: "share-title" }, gettext("Share this conversation")),
        make("p", {}, explained),
        field(gettext("Title"), this.#title),
        field(gettext("Description"), this.#description),
        choice(this.#reasoning, gettext("Show the reasoning of the models, too")),
        choice(this.#indexable, gettext("Let search engines list it")),
        this.#linkRow,
        this.#note,
        make(
          "div",
          { className: "dialog-buttons" },
          this.#stop,
          button("quiet-button", gettext("Close"), () => this.#dialog.close()),
          this.#save,
        ),
      ),
    );
  }

  // Enter in a field means the main button.
  #submit(event) {
    event.preventDefault();
    this.#publish();
  }

  #publish() {
    const isNew = !this.#share;
    return this.#attempt(async () => {
      const body = {
        title: this.#title.value,
        description: this.#description.value,
        indexable: this.#indexable.checked,
        reasoning: this.#reasoning.checked,
      };
      this.#take(await again(() => ask(this.#path, { method: "POST", body }), { attempts: 3 }));
      this.#draw(isNew ? gettext("The link is ready.") : gettext("The link shows the newest state."));
      if (isNew) this.#link.focus();
    });
  }

  #revoke() {
    return this.#attempt(async () => {
      await again(() => ask(this.#path, { method: "DELETE" }), { attempts: 3 });
      this.#share = null;
      this.#draw(gettext("The link leads nowhere any more."));
      this.#save.focus();
    });
  }

  async #copy() {
    if (await copyText(this.#link.value)) return this.#say(gettext("Copied."));
    this.#link.select();
    this.#say(gettext("Copy the selected link by hand, please."), "alarm");
  }

  async #attempt(task) {
    this.#save.disabled = this.#stop.disabled = true;
    try {
      await task();
    } catch (error) {
      this.#say(refusalOf(error), "alarm");
    } finally {
      this.#save.disabled = this.#stop.disabled = false;
    }
  }

  #take(share) {
    this.#share = share;
    this.#title.value = share.title;
    this.#description.value = share.description;
    this.#indexable.checked = share.indexable;
    this.#reasoning.checked = share.reasoning;
    this.#link.value = share.url;
  }

  #draw(said = "") {
    const shared = this.#share !== null;
    this.#linkRow.hidden = this.#stop.hidden = !shared;
    this.#save.textContent = shared ? gettext("Update link") : gettext("Create link");
    this.#say(said || (shared ? takenAt(this.#share) : ""));
  }

  #say(text, kind = "") {
    this.#note.textContent = text;
    this.#note.dataset.kind = kind;
  }
}

function takenAt({ created_at: at }) {
  const form = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
  return interpolate(gettext("The link shows the conversation as it was on %s."), [
    form.format(new Date(at)),
  ]);
}

function button(className, label, onclick) {
  return make("button", { type: "button", className: `button ${className}`, onclick }, label);
}

function field(label, control) {
  return make("label", { className: "field" }, make("span", {}, label), control);
}

function choice(control, label) {
  return make("label", { className: "tick" }, control, make("span", {}, label));
}
