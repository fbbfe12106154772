// Formulas in Markdown, for marked: $$…$$ and \[…\] by themselves, $…$ and \(…\) in a line.

import { escaped } from "./escaped.js";
import { paragraphOf } from "./paragraph.js";

const LONGEST = 4000;
// Blank lines end a formula: else one pair of dollars would swallow what follows.
const BODY = "(?:(?!\\n[ \\t]*\\n|\\$\\$|\\\\[\\[\\]])[^])";
const ALONE = new RegExp(
  `^ {0,3}(?:\\$\\$${BODY}{1,${LONGEST}}\\$\\$|\\\\\\[${BODY}{1,${LONGEST}}\\\\\\])[ \\t]*(?:\\n|$)`,
);
const UNFINISHED = new RegExp(`^ {0,3}(?:\\$\\$|\\\\\\[)${BODY}{0,${LONGEST}}$`);
const IN_LINE = [
  new RegExp(`^\\$\\$${BODY}{1,${LONGEST}}?\\$\\$`),
  new RegExp(`^\\\\\\[${BODY}{1,${LONGEST}}?\\\\\\]`),
  /^\\\((?:(?!\n[ \t]*\n|\\[()])[^]){1,1000}?\\\)/,
  /^\$(?=[^\s$])(?:\\.|[^\\$\n]){1,500}\$(?![0-9A-Za-z])/,
];
const SUM_OF_MONEY = /^\$\d[\d.,]*\s+\p{Ll}{2}/u;

/** The formula that begins a text, with its marks; empty where there is none. */
export function formulaAt(text, before = "") {
  for (const pattern of IN_LINE) {
    const source = pattern.exec(text)?.[0];
    if (source && (source.startsWith("$$") || source[0] === "\\" || isMath(source, before))) {
      return source;
    }
  }
  return "";
}

/** The formula itself: what is between the marks. */
export function texOf(source) {
  const text = source.trim();
  return (text.startsWith("$$") || text[0] === "\\" ? text.slice(2, -2) : text.slice(1, -1)).trim();
}

/** Whether a formula stands by itself. */
export function standsAlone(source) {
  return /^\s*(?:\$\$|\\\[)/.test(source);
}

/** Extensions of marked. */
export const formulas = [
  {
    name: "formula",
    level: "block",
    start: (text) => found(paragraphOf(text).search(/\n {0,3}(?:\$\$|\\\[)/)),
    tokenizer(text) {
      const whole = ALONE.exec(text)?.[0];
      if (whole) return { type: "formula", raw: whole, source: whole.trim() };
      const raw = UNFINISHED.exec(text)?.[0];
      return raw ? { type: "formula", raw, source: raw.trim(), unfinished: true } : undefined;
    },
    renderer: ({ source, unfinished }) =>
      unfinished
        ? `<p class="math-source">${escaped(source)}</p>\n`
        : `<p><span class="math">${escaped(source)}</span></p>\n`,
  },
  {
    name: "formulaInLine",
    level: "inline",
    start: (text) => {
      const at = text.search(/\$|\\[([]/);
      return at < 0 ? undefined : at;
    },
    tokenizer(text, tokens) {
      const source = formulaAt(text, tokens.at(-1)?.raw.at(-1));
      return source ? { type: "formulaInLine", raw: source, source } : undefined;
    },
    renderer: ({ source }) => `<span class="math">${escaped(source)}</span>`,
  },
];

// $5 and $6 are prices, $HOME is a variable: no space inside the marks, no word before them.
function isMath(source, before) {
  return !/[\w$]/.test(before) && !/\s\$$/.test(source) && !SUM_OF_MONEY.test(source);
}

function found(at) {
  return at < 0 ? undefined : at + 1;
}
