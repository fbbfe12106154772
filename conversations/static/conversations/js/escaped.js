const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A text as HTML that shows it. */
export function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
