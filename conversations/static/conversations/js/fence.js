// A block of code that is still open: it can be long, and needs no lexer until it is closed.

const OPENING = /^(`{3,}|~{3,})([^\n]*)\n/;

export class OpenFence {
  #fence = "";
  #from = 0;
  #scanned = 0;
  #language = "";

  /**
   * The block of code at the beginning of a growing text, as marked would give it.
   * @param {string} text each time the one before, or more
   * @returns {object | null} null where there is none, or where it is closed
   */
  open(text) {
    if (!this.#fence && !this.#begin(text)) return null;
    if (this.#isClosed(text)) return null;
    const body = text.slice(this.#from).replace(this.#halfClosing(), "");
    return { type: "code", raw: text, lang: this.#language, text: body, unfinished: true };
  }

  #begin(text) {
    const match = OPENING.exec(text);
    if (!match || (match[1][0] === "`" && match[2].includes("`"))) return false;
    this.#fence = match[1];
    this.#language = match[2].trim();
    this.#from = this.#scanned = match[0].length;
    return true;
  }

  /** Look at the whole lines that were not looked at before, and at the last one. */
  #isClosed(text) {
    const closing = new RegExp(`^ {0,3}${this.#fence}[\`~]* *$`, "m");
    if (closing.test(text.slice(this.#scanned))) return true;
    this.#scanned = Math.max(this.#scanned, text.lastIndexOf("\n") + 1);
    return false;
  }

  #halfClosing() {
    return new RegExp(`(?:^|\\n) {0,3}${this.#fence[0]}{0,${this.#fence.length - 1}}$`);
  }
}
