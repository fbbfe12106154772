// Cursors: `part-offset`, how much of a reply a reader has. Offsets count Unicode code points,
// while JavaScript's strings count UTF-16 units.

export const START = "0-0";

/**
 * @param {string} cursor
 * @returns {{part: number, offset: number}}
 * @throws {RangeError} it is not a cursor
 */
export function parseCursor(cursor) {
  const match = /^(\d{1,9})-(\d{1,12})$/.exec(cursor);
  if (!match) throw new RangeError(`not a cursor: ${cursor}`);
  return { part: Number(match[1]), offset: Number(match[2]) };
}

/** Negative where `a` is before `b`, 0 where they are equal. */
export function compareCursors(a, b) {
  const [left, right] = [parseCursor(a), parseCursor(b)];
  return left.part - right.part || left.offset - right.offset;
}

/** Count the code points of a text. */
export function codePoints(text) {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(i + 1);
    if (next >= 0xdc00 && next <= 0xdfff) {
      count--;
      i++;
    }
  }
  return count;
}

/** The cursor at the end of these parts. */
export function endOf(parts) {
  const last = parts.at(-1);
  return last ? `${parts.length}-${codePoints(last.text)}` : START;
}

/** The cursor behind `text`, which begins at `at` and belongs to part number `part`. */
export function advance(at, part, text) {
  const from = parseCursor(at);
  const offset = from.part === part ? from.offset : 0;
  return `${part}-${offset + codePoints(text)}`;
}
