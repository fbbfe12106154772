// Where a person writes.

import { Attachments } from "./attachments.js";
import { byId } from "./dom.js";
import { takeDrops, takePastes } from "./dropping.js";
import { noteAbout } from "./files.js";
import { gettext } from "./i18n.js";

export class Composer {
  #form = byId("composer");
  #field = byId("message");
  #send = byId("send");
  #stop = byId("stop");
  #tray = byId("tray");
  #note = byId("tray-note");
  #files;
  #running = false;
  #waits = false;
  #sees = true;

  /**
   * @param {{onSend: (text: string, attachments: object[]) => void, onStop: () => void,
   *   onFiles: (conversation: string, ids: string[]) => void, say?: (text: string) => void}} page
   *   `onFiles` hears which uploaded files wait to be sent; `say` is for screen readers
   */
  constructor({ onSend, onStop, onFiles, say = () => {} }) {
    this.page = { onSend, onStop };
    this.#files = new Attachments({
      onChange: () => this.#filesChanged(),
      onEmptied: () => this.focus(),
      onKept: onFiles,
      say,
    });
    this.#field.addEventListener("input", () => this.#fit());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#form.addEventListener("click", (event) => {
      if (event.target === this.#form) this.#field.focus();
    });
    this.#stop.addEventListener("click", () => onStop());
    this.#takeFiles();
    this.#fit();
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#fit();
  }

  /** Whether a reply is being written: then one stops instead of sending, and may type on. */
  set running(running) {
    if (running === this.#running) return;
    const focused = [this.#send, this.#stop].includes(document.activeElement);
    this.#running = running;
    this.#send.hidden = running;
    this.#stop.hidden = !running;
    if (focused) this.focus();
  }

  /** Whether the chosen model sees images. */
  set sees(sees) {
    this.#sees = sees;
    this.#drawNote();
  }

  /** What the server takes: `limits` of `GET /api/session`. */
  set limits(limits) {
    this.#files.limits = limits;
  }

  /** Show the files that are attached in a conversation; "" is one that does not exist yet. */
  openFiles(conversation) {
    this.#waits = false;
    this.#files.open(conversation);
  }

  /** Whether files are attached in a conversation. */
  hasFiles(conversation) {
    return this.#files.has(conversation);
  }

  /** Put back files that could not be sent, where they were or into another conversation. */
  restoreFiles(attachments, conversation) {
    this.#files.restore(attachments, conversation);
  }

  /** A conversation's files belong to another one. */
  moveFiles(from, to) {
    this.#files.move(from, to);
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  #takeFiles() {
    const input = byId("file-input");
    byId("attach").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.#attach([...input.files]);
      input.value = "";
    });
    takePastes(this.#field, (files) => this.#attach(files));
    takeDrops(byId("drop-hint"), (files) => this.#attach(files));
  }

  #attach(files) {
    this.#files.add(files);
    this.focus();
  }

  #key(event) {
    // While an input method composes, Enter takes its suggestion (keyCode 229 is Safari's way).
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (!this.#waits) this.#submit();
  }

  #submit() {
    const text = this.text.trim();
    if (this.#running || this.#isEmpty || this.#files.hasFailed) return;
    // A second press takes the first one back.
    this.#waits = this.#files.isBusy && !this.#waits;
    this.#drawNote();
    if (this.#files.isBusy) return;
    const attachments = this.#files.take();
    this.text = "";
    this.page.onSend(text, attachments);
  }

  #filesChanged() {
    if (this.#waits && !this.#files.isBusy) {
      this.#waits = false;
      this.#submit();
    }
    this.#tray.hidden = this.#files.isEmpty;
    this.#drawNote();
    this.#drawSend();
  }

  get #isEmpty() {
    return !this.text.trim() && this.#files.isEmpty;
  }

  #drawNote() {
    const { hasFailed: failed, hasImages: images } = this.#files;
    const text = noteAbout({ failed, images, waits: this.#waits, sees: this.#sees });
    if (this.#note.textContent !== text) this.#note.textContent = text;
    this.#note.hidden = !text;
    this.#form.classList.toggle("is-waiting", this.#waits);
    const label = this.#waits ? gettext("Do not send yet") : gettext("Send");
    this.#send.setAttribute("aria-label", label);
  }

  #drawSend() {
    this.#send.disabled = this.#isEmpty || this.#files.hasFailed;
  }

  #fit() {
    this.#drawSend();
    const { style } = this.#field;
    style.height = "auto";
    style.height = `${this.#field.scrollHeight}px`;
  }
}
