// Where a text has what was searched for.

/** What the highlights of the page's style sheet are called. */
export const HIGHLIGHT = "found";

/**
 * Cut a text into pieces that are hits and pieces that are not.
 * @param {string} text
 * @param {string} search words, each of which is a hit wherever it stands
 * @returns {{text: string, hit: boolean}[]} joined, they are the text
 */
export function pieces(text, search) {
  const words = search.split(/\s+/).filter(Boolean);
  if (!words.length) return text ? [{ text, hit: false }] : [];
  // The longest first: of "rope ropes" the second is to be found, too.
  const escaped = words.sort((a, b) => b.length - a.length).map(escape);
  const cut = text.split(new RegExp(`(${escaped.join("|")})`, "giu"));
  return cut.map((piece, index) => ({ text: piece, hit: index % 2 === 1 })).filter(({ text }) => text);
}

/** Mark nothing any more. */
export function unmark() {
  globalThis.CSS?.highlights?.delete(HIGHLIGHT);
}

function escape(word) {
  return word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
