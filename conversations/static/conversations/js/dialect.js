// The Markdown of replies: GitHub's, with formulas and footnotes. HTML is text. Values only, no DOM.

import { Marked } from "../vendor/marked.js";
import { escaped } from "./escaped.js";
import { footnotes } from "./footnotes.js";
import { formulaAt, formulas } from "./formulas.js";
import { references } from "./references.js";

// What models write where Markdown has no mark for it. None of these reaches over the end of its
// block when it is not closed, as <u> would.
const HARMLESS_TAG = /^<(?:br ?\/?|\/?(?:sub|sup|kbd|mark|ins))>$/i;
const LANGUAGE = /^[\w+#.-]{1,30}/;

export const dialect = new Marked({
  gfm: true,
  extensions: [...formulas, ...footnotes, ...references],
  hooks: { emStrongMask: withoutFormulas },
  tokenizer: { tag },
  renderer: { html: htmlAsText, image: imageAsLink, code },
});

/** HTML of tokens, for the sanitizer. */
export function htmlOf(tokens) {
  return dialect.parser(tokens);
}

// A tag says nothing about what follows it: there is no raw text behind <script>.
function tag(source) {
  const raw = this.rules.inline.tag.exec(source)?.[0];
  if (raw) return { type: "html", raw, text: raw, block: false, inLink: false, inRawBlock: false };
}

function htmlAsText({ text, block }) {
  if (block) return `<p class="verbatim">${escaped(text.trim())}</p>\n`;
  return HARMLESS_TAG.test(text) ? text : escaped(text);
}

// A remote image would tell its server who reads; it is offered as a link.
function imageAsLink({ href, text, title }) {
  const named = title ? ` title="${escaped(title)}"` : "";
  const label = escaped(text || title || href);
  return `<a class="picture" href="${escaped(href)}"${named}>${label}</a>`;
}

function code({ text, lang }) {
  const language = LANGUAGE.exec(lang ?? "")?.[0];
  const named = language ? ` class="language-${escaped(language)}"` : "";
  return `<pre><code${named}>${escaped(text)}</code></pre>\n`;
}

// A star in a formula is no emphasis. Of the same length, and no marks in it.
function withoutFormulas(text) {
  if (!/\$|\\[([]/.test(text)) return text;
  let masked = "";
  for (let at = 0; at < text.length; ) {
    const source = /[$\\]/.test(text[at]) ? formulaAt(text.slice(at), text[at - 1]) : "";
    masked += source ? "a".repeat(source.length) : text[at];
    at += source.length || 1;
  }
  return masked;
}
