// The files of a question, in its bubble.

import { icon, ICONS, make } from "./dom.js";
import { isImage, sizeOf } from "./files.js";
import { gettext } from "./i18n.js";

/**
 * Show files: images as they are, small, everything else by name.
 * @param {object[]} attachments
 */
export function enclosed(attachments) {
  const files = make("ul", { className: "enclosed", aria: { label: gettext("Attached files") } });
  files.append(...attachments.map((one) => make("li", {}, link(one))));
  return files;
}

function link(attachment) {
  const { name, url, size } = attachment;
  if (isImage(attachment.content_type)) {
    const image = make("img", { src: url, alt: name, decoding: "async" });
    const properties = { className: "enclosed-image", href: url, title: name };
    return make("a", { ...properties, target: "_blank", rel: "noopener" }, image);
  }
  return make(
    "a",
    { className: "enclosed-file", href: url, download: name, title: name },
    icon(ICONS.paper),
    make("span", { className: "enclosed-name", dir: "auto" }, name),
    make("span", { className: "enclosed-size" }, sizeOf(size)),
  );
}
