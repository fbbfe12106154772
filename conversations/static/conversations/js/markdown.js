// Markdown into the page, block by block: what is finished is not touched again.

import { Blocks } from "./blocks.js";
import { Chunks } from "./chunks.js";
import { colourSoon, dress, listen } from "./code.js";
import { htmlOf } from "./dialect.js";
import { gettext } from "./i18n.js";
import { drawFormulas } from "./math.js";
import { become } from "./morph.js";
import { link } from "./notes.js";
import { sanitized } from "./sanitizer.js";
import { inSlices, isSpent } from "./slices.js";

/** How much is read before one looks at the clock. */
const STEP = 4000;

let views = 0;

/** Shows a growing text as Markdown in an element. */
export class MarkdownView {
  #element;
  #chunks;
  #onComplete;
  #onPart;
  #blocks = new Blocks();
  #openNodes = [];
  #openCode = null;
  #uncertain = [];
  #wanted = "";
  #wantsWhole = false;
  #taken = "";
  #isWhole = false;
  #isPlain = false;
  #work = null;
  #begun = 0;
  #name = `view-${++views}`;

  /**
   * @param {HTMLElement} element
   * @param {() => void} [onComplete] called when all is there that `show` left for later
   * @param {() => void} [onPart] called when a part of that is there
   */
  constructor(element, onComplete = () => {}, onPart = () => {}) {
    this.#element = element;
    this.#chunks = new Chunks(element);
    this.#onComplete = onComplete;
    this.#onPart = onPart;
    listen(element);
  }

  /**
   * Show the text so far; of much that is new the rest comes soon.
   * @param {string} text
   * @param {{whole?: boolean}} options `whole`: nothing follows, so that it is shown as it is, with
   *   references that were defined late
   * @returns {boolean} whether all of it is there
   */
  show(text, { whole = false } = {}) {
    if (text !== this.#wanted) this.#isWhole = false;
    [this.#wanted, this.#wantsWhole] = [text, whole];
    if (this.#work) return false;
    const work = this.#drawingOrPlain();
    this.#begun = performance.now();
    if (work.next().done) return true;
    this.#work = work;
    this.#element.setAttribute("aria-busy", "true");
    inSlices(() => this.#workOn());
    return false;
  }

  #workOn() {
    this.#begun = performance.now();
    if (!this.#work.next().done) {
      this.#onPart();
      return true;
    }
    this.#work = null;
    this.#element.removeAttribute("aria-busy");
    this.#onComplete();
    return false;
  }

  /** What cannot be drawn is shown as it was written, and costs nothing around it. */
  *#drawingOrPlain() {
    try {
      if (!this.#isPlain) return yield* this.#drawing();
    } catch (error) {
      console.error(error);
      this.#isPlain = true;
      this.#element.classList.add("plain");
    }
    this.#element.textContent = this.#wanted;
  }

  /** Draw what is wanted, and what comes to be wanted meanwhile. */
  *#drawing() {
    let deferred = [];
    for (;;) {
      if (!this.#wanted.startsWith(this.#taken)) this.#forget();
      if (this.#isShown && !deferred.length) return;
      if (isSpent(this.#begun)) yield; // more may be wanted, or something else, after that
      else if (this.#wanted && !this.#taken) deferred = yield* this.#begin();
      else if (this.#taken !== this.#wanted) this.#draw(this.#read());
      else if (deferred.length) this.#fill(deferred.pop());
      else if (this.#wantsWhole && !this.#isWhole) this.#finish();
      else this.#settle(this.#uncertain.pop());
    }
  }

  /** Whether nothing is left to draw, but for what `#begin` left out. */
  get #isShown() {
    if (this.#taken !== this.#wanted) return false;
    return this.#isWhole ? !this.#uncertain.length : !this.#wantsWhole;
  }

  /** Read all that is there, and draw its end, where its reader most likely is; the rest is left. */
  *#begin() {
    let finished = [];
    let open = [];
    while (this.#taken !== this.#wanted) {
      if (isSpent(this.#begun)) yield;
      if (!this.#wanted.startsWith(this.#taken)) {
        this.#forget();
        finished = [];
      }
      const read = this.#read();
      finished.push(...read.finished);
      open = read.open;
    }
    this.#chunks.clear();
    const parts = [];
    for (const token of finished.filter(({ type }) => type !== "space" && type !== "def")) {
      const chunk = this.#chunks.next();
      if (parts.at(-1)?.chunk !== chunk) parts.push({ chunk, tokens: [] });
      parts.at(-1).tokens.push(token);
      this.#chunks.count(token);
    }
    this.#draw({ finished: [], open });
    while (parts.length && !isSpent(this.#begun)) this.#fill(parts.pop());
    return parts;
  }

  /** Take the next piece of what is wanted. */
  #read() {
    this.#taken = this.#wanted.slice(0, this.#taken.length + STEP);
    this.#isWhole = this.#wantsWhole && this.#taken === this.#wanted;
    return this.#blocks.take(this.#taken, { whole: this.#isWhole });
  }

  #draw({ finished, open }) {
    if (!finished.length && this.#typed(open)) return;
    const blocks = this.#rendered([...finished, ...open]);
    const done = blocks.filter(({ token }) => !open.includes(token));
    const old = this.#openNodes;
    let at = 0;
    for (const block of blocks) {
      const chunk = at < old.length ? this.#chunks.current : this.#chunks.next();
      block.nodes = block.nodes.map((node) => {
        const before = old[at++];
        if (before) return become(before, node);
        chunk.append(node);
        return node;
      });
      if (done.includes(block)) this.#chunks.count(block.token);
    }
    for (const node of old.slice(at)) node.remove();
    for (const block of done) this.#placed(block);
    this.#openNodes = blocks.slice(done.length).flatMap(({ nodes }) => nodes);
    link(this.#openNodes, this.#name);
    this.#openCode = codeOf(open, this.#openNodes);
    if (this.#isWhole) colourSoon(this.#openNodes);
  }

  /** Draw blocks in a container in which they were left out; what follows them is there. */
  #fill({ chunk, tokens }) {
    const blocks = this.#rendered(tokens);
    chunk.prepend(...blocks.flatMap(({ nodes }) => nodes));
    for (const block of blocks) this.#placed(block);
  }

  #placed(block) {
    if (!this.#isWhole && mayChange(block.token)) this.#uncertain.push(block);
    link(block.nodes, this.#name);
    colourSoon(block.nodes);
  }

  #finish() {
    this.#isWhole = true;
    this.#draw(this.#blocks.take(this.#taken, { whole: true }));
  }

  /** Draw a block again if a reference in it was defined late. */
  #settle({ token, html, nodes }) {
    const now = htmlOf(this.#blocks.again(token));
    if (now === html) return;
    const fresh = this.#nodesOf(now);
    nodes.slice(1).forEach((node) => node.remove());
    nodes[0].replaceWith(...fresh);
    link(fresh, this.#name);
    colourSoon(fresh);
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

  /** Blocks with their nodes; one pass for all is much cheaper than one for each. */
  #rendered(tokens) {
    const blocks = tokens
      .map((token) => ({ token, html: htmlOf(this.#known(token)), nodes: [] }))
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

  /** A block as it is with all that is known now. */
  #known(token) {
    return this.#isWhole && mayChange(token) ? this.#blocks.again(token) : [token];
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
    this.#blocks = new Blocks();
    this.#openNodes = [];
    this.#openCode = null;
    this.#uncertain = [];
    this.#taken = "";
    if (!this.#wanted) this.#chunks.clear();
  }
}

/** Whether a later definition could change what a block shows. */
function mayChange({ type, raw }) {
  return type !== "code" && type !== "def" && raw.includes("[");
}

/** The text of the open block of code, to be added to; null where it is coloured, or another block. */
function codeOf([token], [block]) {
  if (token?.type !== "code" || !token.unfinished) return null;
  const code = block.querySelector("code");
  if (!code.firstChild) code.append("");
  if (code.firstChild.data !== code.textContent) return null;
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
  if (picture.host) picture.dataset.host = picture.host;
  picture.title ||= gettext("Opens the image in a new tab");
}
