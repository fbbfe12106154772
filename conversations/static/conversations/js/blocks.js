// Markdown that is still being written, as blocks: those that are finished, and the one that is not.

import { Lexer } from "../vendor/marked.js";
import { dialect } from "./dialect.js";
import { FootnoteNumbers } from "./footnotes.js";
import { OpenFence } from "./fence.js";
import { mended } from "./half.js";
import { settledLines } from "./lastline.js";

/** Lexes a growing text; each finished block is given once, only the tail is lexed again. */
export class Blocks {
  #source = "";
  #tail = "";
  #links = {};
  #fence = new OpenFence();
  #numbers = new FootnoteNumbers();

  /**
   * Take the whole text so far.
   * @param {string} source
   * @param {{whole?: boolean}} options `whole`: nothing follows, so nothing is held back
   * @returns {{finished: object[], open: object[], anew: boolean}} tokens of marked; `anew`: the
   *   text does not continue the one before, so what was given does not count
   */
  take(source, { whole = false } = {}) {
    const text = source.endsWith("\r") && !whole ? source.slice(0, -1) : source;
    const plain = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    const anew = !plain.startsWith(this.#source);
    if (anew) this.#forget();
    this.#tail += plain.slice(this.#source.length);
    this.#source = plain;
    const code = this.#fence.open(this.#tail);
    if (code && !whole) return { finished: [], open: [code], anew };
    const { finished, open } = this.#lex(whole ? this.#tail : settledLines(this.#tail), whole);
    const raw = finished.map((token) => token.raw).join("");
    if (!this.#tail.startsWith(raw)) return { finished: [], open: [...finished, ...open], anew };
    this.#tail = this.#tail.slice(raw.length);
    if (raw) this.#fence = new OpenFence();
    this.#remember(whole ? [...finished, ...open] : finished);
    return { finished, open, anew };
  }

  /** A finished block once more, with all that is known now; the text has to be whole. */
  again(token) {
    const tokens = this.#lexer({ whole: true }).lex(token.raw);
    this.#number(tokens, { whole: true });
    return tokens;
  }

  #lex(text, whole) {
    const lexer = this.#lexer({ whole });
    const tokens = [...lexer.lex(text)];
    const last = tokens.findLastIndex((token) => token.type !== "space");
    const finished = tokens.slice(0, Math.max(last, 0));
    const open = tokens.slice(finished.length);
    if (!whole) mendLast(open, (part) => lexer.inlineTokens(part));
    this.#number(tokens, { whole });
    return { finished, open };
  }

  #lexer({ whole }) {
    const lexer = new Lexer(dialect.defaults);
    lexer.isWhole = whole;
    Object.assign(lexer.tokens.links, this.#links);
    return lexer;
  }

  #number(tokens, { whole }) {
    if (!this.#source.includes("[^")) return;
    const walk = (some, visit) => dialect.walkTokens(some, visit);
    this.#numbers.take(tokens, { walk, whole });
  }

  // Of what is finished: the first definition counts, and an open one is still being written.
  #remember(tokens) {
    for (const { type, tag, href, title } of tokens) {
      if (type !== "def") continue;
      this.#links[tag] ??= { href, title };
    }
  }

  #forget() {
    [this.#source, this.#tail, this.#links] = ["", "", {}];
    this.#fence = new OpenFence();
    this.#numbers = new FootnoteNumbers();
  }
}

/** Close or hold back what is half written at the very end. */
function mendLast(tokens, inline) {
  const token = tokens.findLast(({ type }) => type !== "space");
  switch (token?.type) {
    case "paragraph":
    case "heading":
    case "text":
      if (token.tokens) token.tokens = inline(mended(token.text));
      break;
    case "blockquote":
    case "footnote":
      mendLast(token.tokens, inline);
      break;
    case "list":
      mendLast(token.items.at(-1).tokens, inline);
      break;
    case "table": {
      const cell = (token.rows.at(-1) ?? token.header).findLast(({ text }) => text);
      if (cell) cell.tokens = inline(mended(cell.text));
      break;
    }
  }
}
