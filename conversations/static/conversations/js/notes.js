// Links between the mark of a footnote and the note.

import { make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";

/**
 * Give marks and notes their addresses; they are apart for each view.
 * @param {Node[]} nodes
 * @param {string} view no two on a page have the same
 */
export function link(nodes, view) {
  for (const node of nodes) {
    if (node.nodeType !== Node.ELEMENT_NODE) continue;
    for (const mark of node.querySelectorAll("sup.note-mark > a:not([href])")) linkMark(mark, view);
    if (node.matches("div.note") && !node.id) linkNote(node, view);
  }
}

function linkMark(mark, view) {
  const number = mark.textContent;
  mark.href = `#${view}-note-${number}`;
  mark.removeAttribute("target");
  mark.removeAttribute("rel");
  const id = `${view}-mark-${number}`;
  if (!document.getElementById(id)) mark.id = id;
  mark.setAttribute("aria-label", interpolate(gettext("Note %s"), [number]));
}

function linkNote(note, view) {
  const number = note.querySelector(".note-number").textContent;
  note.id = `${view}-note-${number}`;
  note.tabIndex = -1;
  const label = gettext("Back to the text");
  const href = `#${view}-mark-${number}`;
  const back = make("a", { className: "note-back", href, title: label, aria: { label } });
  (note.lastElementChild.matches("p") ? note.lastElementChild : note).append(back);
}
