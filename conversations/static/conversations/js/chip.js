// One file in the composer: what it is, how far its upload is, what can be done about it.

import { icon, ICONS, make } from "./dom.js";
import { isImage, sizeOf } from "./files.js";
import { gettext, interpolate } from "./i18n.js";

const THUMB_PX = 96;

export class Chip {
  #bar = make("progress", { max: 1, value: 0, hidden: true });
  #state = make("span", { className: "chip-state" });
  #retry;
  #remove;

  /**
   * @param {{name: string, size: number, type: string, file?: File, url?: string}} what
   * @param {{onRemove: () => void, onRetry: () => void}} page
   */
  constructor(what, { onRemove, onRetry }) {
    const { name } = what;
    this.what = what;
    this.#bar.setAttribute("aria-label", interpolate(gettext("Upload of %s"), [name]));
    this.#retry = button(interpolate(gettext("Try %s again"), [name]), ICONS.again, onRetry);
    this.#remove = button(interpolate(gettext("Remove %s"), [name]), ICONS.cross, onRemove);
    this.element = make(
      "li",
      { className: "chip", title: name },
      thumbOf(what),
      make(
        "span",
        { className: "chip-text" },
        make("span", { className: "chip-name", dir: "auto" }, name),
        this.#state,
        this.#bar,
      ),
      this.#retry,
      this.#remove,
    );
    this.show({ state: "waiting" });
  }

  /** Show how far it is: waiting, uploading with `share`, done, or failed with `error`. */
  show({ state, share = 0, error = "", retryable = false }) {
    const { dataset } = this.element;
    const focused = this.#retry === document.activeElement;
    dataset.state = state;
    this.#bar.hidden = state !== "uploading";
    this.#bar.value = share;
    this.#state.textContent = state === "failed" ? error : sizeOf(this.what.size);
    this.#state.hidden = state === "uploading";
    this.#retry.hidden = !retryable;
    if (focused && !retryable) this.focus();
  }

  focus() {
    this.#remove.focus();
  }
}

function button(label, path, onclick) {
  const properties = { type: "button", className: "chip-button", title: label, aria: { label } };
  return make("button", { ...properties, onclick }, icon(path));
}

/** A small picture of the file: drawn here, because no address of a file on this machine is ours. */
function thumbOf({ file, url, type }) {
  const frame = make("span", { className: "chip-thumb", aria: { hidden: "true" } });
  frame.append(icon(ICONS.paper));
  if (!isImage(type)) return frame;
  if (url) frame.replaceChildren(make("img", { src: url, alt: "" }));
  else if (file) draw(file).then((canvas) => frame.replaceChildren(canvas), () => {});
  return frame;
}

async function draw(file) {
  const image = await createImageBitmap(file);
  const scale = THUMB_PX / Math.min(image.width, image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  const canvas = make("canvas", { width: THUMB_PX, height: THUMB_PX });
  const place = [(THUMB_PX - width) / 2, (THUMB_PX - height) / 2];
  canvas.getContext("2d").drawImage(image, ...place, width, height);
  image.close();
  return canvas;
}
