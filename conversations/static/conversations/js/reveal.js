// Leads the eye to a message, and in it to what was searched for.

import { HIGHLIGHT, pieces } from "./marks.js";
import { doAll } from "./slices.js";

/**
 * Scroll to a message and mark the words in it.
 * @param {Element} message
 * @param {string} sought
 */
export function reveal(message, sought) {
  doAll(); // it may be in what is not drawn yet
  const ranges = rangesOf(message, sought);
  // Not by elements: what a reply shows is its renderer's alone.
  if (globalThis.Highlight) CSS.highlights.set(HIGHLIGHT, new Highlight(...ranges));
  const target = ranges[0]?.startContainer.parentElement ?? message;
  const fits = target.offsetHeight < innerHeight / 2;
  target.scrollIntoView({ block: fits ? "center" : "start" });
  message.tabIndex = -1;
  message.focus({ preventScroll: true });
}

function rangesOf(message, sought) {
  const ranges = [];
  const texts = document.createTreeWalker(message, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    let at = 0;
    for (const { text, hit } of pieces(node.data, sought)) {
      if (hit) {
        const range = new Range();
        range.setStart(node, at);
        range.setEnd(node, at + text.length);
        ranges.push(range);
      }
      at += text.length;
    }
  }
  return ranges;
}
