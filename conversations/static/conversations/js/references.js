// Links by reference, [text][name], whose name is defined further down, for marked.
//
// Until the text is whole they show their words alone, as they will when the address is known.

const REFERENCE = /^\[([^\][\n]{1,200})\]\[([^\][\n]{1,100})\]/;

/** Extensions of marked. */
export const references = [
  {
    name: "referenceToCome",
    level: "inline",
    childTokens: ["tokens"],
    tokenizer(text, tokens) {
      const match = REFERENCE.exec(text);
      if (!match || this.lexer.isWhole || /\w/.test(tokens.at(-1)?.raw.at(-1) ?? "")) return;
      const [raw, words, name] = match;
      if (this.lexer.tokens.links[name.toLowerCase().replace(/\s+/g, " ")]) return;
      return { type: "referenceToCome", raw, tokens: this.lexer.inlineTokens(words) };
    },
    renderer({ tokens }) {
      return `<a>${this.parser.parseInline(tokens)}</a>`;
    },
  },
];
