// Markdown into the page. Everything a model says passes the sanitizer here, and nowhere else.

import { Marked } from "../vendor/marked.js";
import createPurifier from "../vendor/purify.js";

import { Blocks } from "./blocks.js";

const TAGS = (
  "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr input li ol p pre s span strong sub sup " +
  "table tbody td th thead tr ul"
).split(" ");
const ATTRIBUTES = ["align", "checked", "class", "disabled", "href", "start", "title", "type"];

const purifier = createPurifier(window);
const marked = new Marked({ gfm: true, renderer: { html: asText, image: asLink } });

purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  }
  if (node.tagName === "INPUT") {
    if (node.getAttribute("type") === "checkbox") node.setAttribute("disabled", "");
    else node.remove();
  }
  const language = node.tagName === "CODE" && /^language-[\w+#.-]{1,30}$/.exec(node.className);
  if (node.hasAttribute("class") && !language) node.removeAttribute("class");
});

/** Shows a growing text as Markdown in an element; finished blocks are not touched again. */
export class MarkdownView {
  #element;
  #blocks = new Blocks();
  #openNodes = [];
  #shown = "";

  constructor(element) {
    this.#element = element;
  }

  /** Show the text so far. */
  show(text) {
    if (text === this.#shown) return;
    this.#shown = text;
    const { finished, open, anew } = this.#blocks.take(text);
    const fresh = document.createDocumentFragment();
    fresh.append(rendered(finished));
    const tail = rendered(open);
    const openNodes = [...tail.childNodes];
    fresh.append(tail);
    if (anew) this.#element.replaceChildren(fresh);
    else this.#replaceOpen(fresh);
    this.#openNodes = openNodes;
  }

  /** The text is whole: references that were defined late reach the blocks before them. */
  finish() {
    if (!this.#blocks.hasDefinitions) return;
    this.#blocks = new Blocks();
    const { finished, open } = this.#blocks.take(this.#shown);
    const last = rendered(open);
    this.#openNodes = [...last.childNodes];
    this.#element.replaceChildren(rendered(finished), last);
  }

  #replaceOpen(fresh) {
    const [first, ...others] = this.#openNodes;
    for (const node of others) node.remove();
    if (first) first.replaceWith(fresh);
    else this.#element.append(fresh);
  }
}

function rendered(tokens) {
  const fragment = purifier.sanitize(marked.parser(tokens), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#)/i,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const table of fragment.querySelectorAll("table")) frame(table);
  for (const pre of fragment.querySelectorAll("pre")) pre.tabIndex = 0;
  return fragment;
}

// A wide table scrolls by itself, not the page.
function frame(table) {
  const scroller = document.createElement("div");
  scroller.className = "table-scroller";
  scroller.tabIndex = 0;
  table.replaceWith(scroller);
  scroller.append(table);
}

function asText({ text }) {
  return escaped(text);
}

// A remote image would tell its server who reads; it is offered as a link.
function asLink({ href, text, title }) {
  return `<a href="${escaped(href)}">${escaped(text || title || href)}</a>`;
}

function escaped(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}
