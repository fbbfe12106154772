// Markdown that breaks off in mid-word: closed, or held back until its meaning is known.
//
// What is half written shows what it most likely becomes, so that it need not jump when it is.

import { formulaAt } from "./formulas.js";

const MARK = /[`*_~![\]$\\<]/;
const MAYBE_DEFINITION =
  /^!?\[[^\]\n]{0,80}(?:\]:?\s*|\]:\s*(?:<[^>\n]*>?|\S+)(?:\s+["'(][^\n]*)?\s*)?$/;
const HALF_TAG = /<\/?(?:br?|su?|su[bp]|k|kbd?|m|ma|mark?|i|ins?)? ?\/?$/i;
const LETTER = /[\p{L}\p{N}]/u;

/**
 * The text of one block with what is half written in it closed or held back.
 * @param {string} text Markdown of one paragraph, heading or cell
 */
export function mended(text) {
  if (MAYBE_DEFINITION.test(text)) return "";
  return closed(withoutHalfMark(text));
}

function withoutHalfMark(text) {
  return text
    .replace(/\[\^[^\]\s]{0,60}$/, "")
    .replace(HALF_TAG, "")
    .replace(/&#?\w{0,10}$/, "")
    .replace(/(?:!?\[|\\|[*_~`]+|(?<!\$)\$)$/, "");
}

/** Close what is open at the end, the innermost first. */
function closed(whole) {
  const text = withoutMarksIn(whole);
  const open = [];
  for (let at = nextMark(text, 0); at < text.length; at = nextMark(text, at)) {
    const before = text[at - 1] ?? " ";
    const passed = skipped(text, at, before);
    if (passed) {
      at += passed;
      continue;
    }
    const rest = text.slice(at, at + 40);
    const mark = /^(?:`+|\*{1,3}|_{1,3}|~~?|!?\[|\])/.exec(rest)?.[0] ?? "";
    at += mark.length || 1;
    if (mark[0] === "`") return ending(text, [...open, { mark }]);
    if (mark.endsWith("[")) open.push({ mark: "[", at: at - mark.length });
    else if (mark !== "]") mark && take(open, mark, before, text[at] ?? " ");
    else if (open.some((one) => one.mark === "[")) {
      const bracket = closeBracket(open);
      if (/^(?:\[[^\]]*)?$/.test(text.slice(at))) {
        const isReference = text[bracket.at - 1] === "]";
        return ending(isReference ? text : withoutBrackets(text, bracket.at, at), open);
      }
      if (text[at] !== "(") continue;
      const end = endOfAddress(text, at + 1);
      if (end < 0) return ending(`${text.slice(0, at + 1)})`, open);
      at = end;
    }
  }
  const bracket = open.findLast(({ mark }) => mark === "[");
  return ending(bracket ? withoutBrackets(text, bracket.at) : text, open);
}

function nextMark(text, from) {
  const distance = text.slice(from).search(MARK);
  return distance < 0 ? text.length : from + distance;
}

/** In a formula that is not closed yet, stars and underscores are no marks. */
function withoutMarksIn(text) {
  for (let at = nextMark(text, 0); at < text.length; at = nextMark(text, at)) {
    const isFormula = /^(?:\$[^\s$]|\\[([])/.test(text.slice(at, at + 2));
    const passed = skipped(text, at, text[at - 1] ?? " ", { escapes: !isFormula });
    if (!passed && isFormula) {
      const end = text[at] === "$" ? /^\S+/.exec(text.slice(at))[0].length : text.length - at;
      const [before, after] = [text.slice(0, at), text.slice(at + end)];
      return before + text.slice(at, at + end).replace(/(?<!\\)[*_]/g, "\\$&") + after;
    }
    at += passed || 1;
  }
  return text;
}

/** How much at a place has no marks that count: what is escaped, code, a formula, a tag. */
function skipped(text, at, before, { escapes = true } = {}) {
  const character = text[at];
  if (character === "$" || character === "\\") {
    const escape = escapes && character === "\\" ? 2 : 0;
    return formulaAt(text.slice(at), before).length || escape;
  }
  if (character === "`") {
    const ticks = /^`+/.exec(text.slice(at))[0];
    const end = new RegExp(`[^\`]${ticks}(?!\`)`).exec(text.slice(at + ticks.length));
    return end ? ticks.length * 2 + end.index + 1 : 0;
  }
  return character === "<" ? (/^<[^<>\s]+>/.exec(text.slice(at))?.[0].length ?? 0) : 0;
}

/** Open or close a pair of marks, by what is beside them. */
function take(open, mark, before, after) {
  const inWord = LETTER.test(before) && LETTER.test(after);
  const last = open.findLastIndex((one) => one.mark[0] === mark[0]);
  if (last >= 0 && !/\s/.test(before) && !(inWord && mark[0] === "_")) {
    const left = open[last].mark.slice(mark.length);
    open.splice(last);
    if (left) open.push({ mark: left });
  } else if (!/\s/.test(after) && !inWord) {
    open.push({ mark });
  }
}

function closeBracket(open) {
  const bracket = open.findLast(({ mark }) => mark === "[");
  open.splice(open.indexOf(bracket));
  return bracket;
}

/** The text with what closes the open marks; spaces stay behind them. */
function ending(text, open) {
  const marks = open.map(({ mark }) => mark).filter((mark) => mark !== "[");
  const words = text.trimEnd();
  return words + marks.reverse().join("") + text.slice(words.length);
}

/** Where `(…)` behind a link's text ends; negative while it has not. */
function endOfAddress(text, from) {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "(") depth += 1;
    else if (text[at] === ")") depth -= 1;
    if (!depth) return at + 1;
  }
  return -1;
}

/** The brackets of a link that is not known to be one yet do not show. */
function withoutBrackets(text, from, to = text.length + 1) {
  const words = text.slice(from, to - 1).replace(/^!?\[/, "");
  const mayBeLink = /^\p{L}/u.test(words) && words.length < 200 && !LETTER.test(text[from - 1] ?? " ");
  return mayBeLink ? text.slice(0, from) + words : text;
}
