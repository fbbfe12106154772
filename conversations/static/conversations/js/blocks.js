// Markdown that is still being written, as blocks: those that are finished, and the one that is not.

import { Lexer } from "../vendor/marked.js";

/** Lexes a growing text; each finished block is given once, only the tail is lexed again. */
export class Blocks {
  #source = "";
  #tail = "";
  #links = {};
  /** Whether a reference was defined: earlier blocks may mean it too. */
  hasDefinitions = false;

  /**
   * Take the whole text so far.
   * @param {string} source
   * @returns {{finished: object[], open: object[], anew: boolean}} tokens of marked; `anew`: the
   *   text does not continue the one before, so what was given does not count
   */
  take(source) {
    const text = source.endsWith("\r") ? source.slice(0, -1) : source;
    const plain = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    const anew = !plain.startsWith(this.#source);
    if (anew) [this.#source, this.#tail, this.#links] = ["", "", {}];
    this.#tail += plain.slice(this.#source.length);
    this.#source = plain;
    const tokens = this.#lex();
    const last = tokens.findLastIndex((token) => token.type !== "space");
    const finished = tokens.slice(0, Math.max(last, 0));
    const raw = finished.map((token) => token.raw).join("");
    if (!this.#tail.startsWith(raw)) return { finished: [], open: tokens, anew };
    this.#tail = this.#tail.slice(raw.length);
    this.#remember(finished);
    return { finished, open: tokens.slice(finished.length), anew };
  }

  #lex() {
    const lexer = new Lexer({ gfm: true });
    Object.assign(lexer.tokens.links, this.#links);
    return [...lexer.lex(this.#tail)];
  }

  // Only of finished blocks: the first definition counts, and an open one is still being written.
  #remember(finished) {
    for (const { type, tag, href, title } of finished) {
      if (type !== "def") continue;
      this.#links[tag] ??= { href, title };
      this.hasDefinitions = true;
    }
  }
}
