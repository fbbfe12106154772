// Footnotes in Markdown, for marked: [^name] in the text, [^name]: … where it is explained.
//
// A note stays where it was written, which is mostly the end: nothing above it has to move.

import { escaped } from "./escaped.js";
import { paragraphOf } from "./paragraph.js";

const NAME = "\\[\\^([^\\]\\s^]{1,60})\\]";
const MARK = new RegExp(`^${NAME}`);
// Lines up to a blank one or the next note; after a blank one, what is indented.
const LINE = "(?:(?! {0,3}\\[\\^[^\\]\\s]+\\]:)(?=[^\\n]*\\S)[^\\n]+)";
const NOTE = new RegExp(
  `^ {0,3}${NAME}:[ \\t]*([^\\n]*(?:\\n${LINE})*(?:\\n(?:[ \\t]*\\n)+(?: {4}|\\t)[^\\n]*(?:\\n${LINE})*)*)(?:\\n|$)`,
);

/** Extensions of marked. Numbers come from `FootnoteNumbers`. */
export const footnotes = [
  {
    name: "footnote",
    level: "block",
    childTokens: ["tokens"],
    start: (text) => {
      const at = paragraphOf(text).search(/\n {0,3}\[\^[^\]\s]+\]:/);
      return at < 0 ? undefined : at + 1;
    },
    tokenizer(text) {
      const match = NOTE.exec(text);
      if (!match) return undefined;
      const [raw, name, body] = match;
      const tokens = this.lexer.blockTokens(body.replace(/\n(?: {4}|\t)/g, "\n"), []);
      return { type: "footnote", raw, name: name.toLowerCase(), tokens };
    },
    renderer({ number = "", tokens }) {
      const body = this.parser.parse(tokens);
      return `<div class="note"><span class="note-number">${number}</span>${body}</div>\n`;
    },
  },
  {
    name: "footnoteMark",
    level: "inline",
    start: (text) => {
      const at = text.indexOf("[^");
      return at < 0 ? undefined : at;
    },
    tokenizer(text) {
      const match = MARK.exec(text);
      return match
        ? { type: "footnoteMark", raw: match[0], name: match[1].toLowerCase() }
        : undefined;
    },
    renderer: ({ raw, number, missing }) =>
      missing ? escaped(raw) : `<sup class="note-mark"><a>${number ?? ""}</a></sup>`,
  },
];

/** Numbers the notes of one text in the order in which they are met. */
export class FootnoteNumbers {
  #numbers = new Map();
  #explained = new Set();

  /**
   * Number the notes that tokens mark and explain.
   * @param {object[]} tokens
   * @param {{walk: Function, whole: boolean}} options `whole`: no note will be explained any more
   */
  take(tokens, { walk, whole }) {
    walk(tokens, ({ type, name }) => type === "footnote" && this.#explained.add(name));
    walk(tokens, (token) => {
      const { type, name } = token;
      if (type !== "footnote" && type !== "footnoteMark") return;
      if (!this.#numbers.has(name)) this.#numbers.set(name, this.#numbers.size + 1);
      token.number = this.#numbers.get(name);
      token.missing = whole && !this.#explained.has(name);
    });
  }
}
