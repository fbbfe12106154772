// Files from elsewhere: dragged onto the page, or pasted.

import { isDragOfFiles, isPasteOfFiles } from "./files.js";

const STALE_MS = 700;

/**
 * Take files that are dropped anywhere on the page.
 * @param {HTMLElement} hint shown while something is dragged that can be dropped
 * @param {(files: FileList) => void} take
 */
export function takeDrops(hint, take) {
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    hint.hidden = true;
  };
  const over = (event) => {
    if (!isDragOfFiles(event.dataTransfer?.types)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    hint.hidden = false;
    // Not every browser says that the pointer has left the window.
    clearTimeout(timer);
    timer = setTimeout(hide, STALE_MS);
  };
  addEventListener("dragenter", over);
  addEventListener("dragover", over);
  addEventListener("dragleave", (event) => event.relatedTarget === null && hide());
  addEventListener("drop", (event) => {
    hide();
    if (!isDragOfFiles(event.dataTransfer?.types)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  });
}

/** Take files that are pasted into a field. */
export function takePastes(field, take) {
  field.addEventListener("paste", (event) => {
    const { types, files } = event.clipboardData;
    if (!isPasteOfFiles(types, files.length)) return;
    event.preventDefault();
    take(files);
  });
}
