// What is known of files before and after they are uploaded. Values only, no DOM.

import { LANGUAGE, gettext, interpolate } from "./i18n.js";

const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** Whether a type is one of the images that the server takes. */
export function isImage(type) {
  return IMAGES.includes(type);
}

/** A size as people read it. */
export function sizeOf(bytes, language = LANGUAGE) {
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const digits = unit && size < 10 ? 1 : 0;
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: UNITS[unit],
    unitDisplay: unit ? "short" : "long",
    maximumFractionDigits: digits,
  }).format(size);
}

/**
 * Why a file is not worth an upload; empty where it may be tried.
 * @param {{size: number}} file
 * @param {{attachment_bytes?: number}} limits as `GET /api/session` says them
 */
export function obstacleTo({ size }, { attachment_bytes: most }) {
  if (!size) return gettext("The file is empty.");
  if (!most || size <= most) return "";
  return interpolate(gettext("Larger than %s"), [sizeOf(most)]);
}

/**
 * Whether what is pasted should be attached: a picture that was copied comes with HTML about it, a
 * piece of a document comes with its text and a picture of it.
 * @param {readonly string[]} types of the clipboard
 * @param {number} count of its files
 */
export function isPasteOfFiles(types, count) {
  if (!count) return false;
  const formatted = types.includes("text/html") || types.includes("text/rtf");
  return !(types.includes("text/plain") && formatted);
}

/** Whether something is dragged that could be attached. */
export function isDragOfFiles(types) {
  return [...(types ?? [])].includes("Files");
}

/** The files of a message: what its parts of that kind hold. */
export function attachmentsOf({ parts = [] }) {
  return parts.filter((part) => part.kind === "attachment").map((part) => part.attachment);
}

/** The parts of a question that is being sent. */
export function partsOf(content, attachments) {
  const files = attachments.map((attachment) => ({ kind: "attachment", attachment }));
  return content ? [...files, { kind: "text", text: content }] : files;
}

/**
 * What the composer says about its files, the most urgent first; empty where all is well.
 * @param {{failed: boolean, waits: boolean, images: boolean, sees: boolean}} state
 */
export function noteAbout({ failed, waits, images, sees }) {
  if (failed) return gettext("A file could not be uploaded. Try it again or remove it to send.");
  if (waits) return gettext("Sending as soon as the files are uploaded…");
  if (images && !sees) {
    return gettext("This model cannot see images. It will only be told that there is one.");
  }
  return "";
}
