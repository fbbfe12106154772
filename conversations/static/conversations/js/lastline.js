// The last line of Markdown that is still being written: it may become anything.

const ONLY_MARKS = /(^|\n)(?:[ \t]*>)*[ \t]*(?:[-*+_=#`~|:]+[ \t]*|(?<=\n[ \t]*)\d{1,3}[.)]?[ \t]*)$/;
const DELIMITERS = /^[ \t]*\|?[ \t:|-]*$/;

/**
 * The text without a last line that may become anything: a lone `-` is a list, a heading, a rule.
 * A table's head gets the row below it that makes it one.
 * @param {string} text blocks, of which the last is still being written
 */
export function settledLines(text) {
  return withTableHead(text) ?? text.replace(ONLY_MARKS, "$1");
}

/** The text with the delimiter row that a table's head waits for; null where there is no such head. */
function withTableHead(text) {
  const lines = text.split("\n");
  const last = lines.pop();
  const isRow = (line) => /^ {0,3}\|/.test(line ?? "");
  if (isRow(last) && !DELIMITERS.test(last)) {
    const isHead = /^ {0,3}\| /.test(last) && !isRow(lines.at(-1));
    return isHead ? `${text}\n${delimiters(last)}` : null;
  }
  const [before, head] = [lines.at(-2), lines.at(-1)];
  if (!DELIMITERS.test(last) || !isRow(head) || isRow(before) || DELIMITERS.test(head)) return null;
  const isWhole = cells(last) === cells(head) && /-[ \t:|]*$/.test(last);
  return isWhole ? text : `${lines.join("\n")}\n${delimiters(head)}`;
}

function delimiters(head) {
  return `|${"---|".repeat(Math.max(cells(head), 1))}`;
}

function cells(row) {
  return row.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).length;
}
