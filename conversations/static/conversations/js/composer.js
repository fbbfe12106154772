// Where a person writes.

import { byId } from "./dom.js";

const MAX_HEIGHT_PX = 240;

export class Composer {
  #form = byId("composer");
  #field = byId("message");
  #send = byId("send");
  #stop = byId("stop");
  #running = false;

  /** @param {{onSend: (text: string) => void, onStop: () => void}} page */
  constructor({ onSend, onStop }) {
    this.page = { onSend, onStop };
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
    this.#fit();
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#fit();
  }

  /** Whether a reply is being written: then one stops instead of sending. */
  set running(running) {
    if (running === this.#running) return;
    const focused = this.#form.contains(document.activeElement);
    this.#running = running;
    this.#send.hidden = running;
    this.#stop.hidden = !running;
    if (focused) this.focus();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  #key(event) {
    // While an input method composes, Enter takes its suggestion (keyCode 229 is Safari's way).
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const text = this.text.trim();
    if (!text || this.#running) return;
    this.text = "";
    this.page.onSend(text);
  }

  #fit() {
    this.#send.disabled = !this.text.trim();
    const { style } = this.#field;
    style.height = "auto";
    style.height = `${Math.min(this.#field.scrollHeight, MAX_HEIGHT_PX)}px`;
  }
}
