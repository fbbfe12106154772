// Where a paragraph may end at the latest: what looks for another block in it need look no further.

/** The text up to its first blank line. */
export function paragraphOf(text) {
  const end = text.search(/\n[ \t]*\n/);
  return end < 0 ? text : text.slice(0, end);
}
