// Markdown into the page, block by block: what is finished is not touched again.

import { Blocks } from "./blocks.js";
import { colourSoon, dress, listen } from "./code.js";
import { htmlOf } from "./dialect.js";
import { gettext } from "./i18n.js";
import { drawFormulas } from "./math.js";
import { settle } from "./morph.js";
import { link } from "./notes.js";
import { sanitized } from "./sanitizer.js";

let views = 0;

/** Shows a growing text as Markdown in an element. */
export class MarkdownView {
  #element;
  #blocks = new Blocks();
  #openNodes = [];
  #openCode = null;
  #uncertain = [];
  #shown = "";
  #whole = true;
  #name = `view-${++views}`;

  constructor(element) {
    this.#element = element;
    listen(element);
  }

  /** Show the text so far. */
  show(text) {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#whole = false;
    this.#draw(this.#blocks.take(text));
  }

  /** Nothing follows: show the text as it is, with references that were defined late. */
  finish() {
    if (this.#whole) return;
    this.#whole = true;
    this.#draw(this.#blocks.take(this.#shown, { whole: true }));
    this.#settleReferences();
    colourSoon(this.#openNodes);
  }

  #draw({ finished, open, anew }) {
    if (anew) this.#forget();
    if (!finished.length && this.#typed(open)) return;
    const done = this.#renderedApart(finished);
    const fresh = [...done.flatMap(({ nodes }) => nodes), ...this.#nodesOf(htmlOf(open))];
    const placed = settle(this.#element, this.#openNodes, fresh);
    let at = 0;
    for (const block of done) {
      block.nodes = placed.slice(at, (at += block.nodes.length));
      if (mayChange(block.token)) this.#uncertain.push(block);
      link(block.nodes, this.#name);
      colourSoon(block.nodes);
    }
    this.#openNodes = placed.slice(at);
    link(this.#openNodes, this.#name);
    this.#openCode = codeOf(open, this.#openNodes);
  }

  /** Most of a long block of code is there already: only what is new is added. */
  #typed(open) {
    const [{ type, unfinished, text, lang } = {}] = open;
    const known = this.#openCode;
    if (!known || type !== "code" || !unfinished || lang !== known.lang) return false;
    if (!text.startsWith(known.node.data)) return false;
    known.node.appendData(text.slice(known.node.data.length));
    return true;
  }

  #settleReferences() {
    for (const { token, html, nodes } of this.#uncertain) {
      const now = htmlOf(this.#blocks.again(token));
      if (now === html) continue;
      const fresh = this.#nodesOf(now);
      nodes.slice(1).forEach((node) => node.remove());
      nodes[0].replaceWith(...fresh);
      link(fresh, this.#name);
      colourSoon(fresh);
    }
    this.#uncertain = [];
  }

  /** Blocks with their nodes; one pass for all is much cheaper than one for each. */
  #renderedApart(tokens) {
    const blocks = tokens
      .map((token) => ({ token, html: htmlOf([token]), nodes: [] }))
      .filter(({ html }) => html);
    const nodes = this.#nodesOf(blocks.map(({ html }) => html).join(""));
    const isElement = ({ nodeType }) => nodeType === Node.ELEMENT_NODE;
    if (nodes.filter(isElement).length !== blocks.length) {
      for (const block of blocks) block.nodes = this.#nodesOf(block.html);
      return blocks;
    }
    let at = -1;
    for (const node of nodes) blocks[Math.max(isElement(node) ? ++at : at, 0)].nodes.push(node);
    return blocks;
  }

  #nodesOf(html) {
    if (!html) return [];
    const fragment = sanitized(html);
    for (const table of fragment.querySelectorAll("table")) frame(table);
    for (const picture of fragment.querySelectorAll("a.picture")) caption(picture);
    dress(fragment);
    drawFormulas(fragment, this.#element);
    return [...fragment.childNodes];
  }

  #forget() {
    this.#openNodes = [...this.#element.childNodes];
    this.#openCode = null;
    this.#uncertain = [];
  }
}

/** Whether a later definition could change what a block shows. */
function mayChange({ type, raw }) {
  return type !== "code" && type !== "def" && raw.includes("[");
}

/** The text of the open block of code, to be added to; null where another block is open. */
function codeOf([token], [block]) {
  if (token?.type !== "code" || !token.unfinished) return null;
  const code = block.querySelector("code");
  if (!code.firstChild) code.append("");
  return { node: code.firstChild, lang: token.lang };
}

// A wide table scrolls by itself, not the page.
function frame(table) {
  const scroller = document.createElement("div");
  scroller.className = "table-scroller";
  scroller.tabIndex = 0;
  table.replaceWith(scroller);
  scroller.append(table);
}

// Who follows the link consents to being seen by that host.
function caption(picture) {
  if (!picture.href) return;
  picture.dataset.host = new URL(picture.href).host;
  picture.title ||= gettext("Opens the image in a new tab");
}
