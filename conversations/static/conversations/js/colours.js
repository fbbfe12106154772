// Colours of code, by highlight.js. Loaded with the first block that needs them.

import { load } from "./load.js";
import hljs from "../vendor/highlight.js";

// Nodes instead of HTML: what a grammar finds never passes a parser.
class Nodes {
  root = document.createDocumentFragment();
  #open = [this.root];

  addText(text) {
    if (text) this.#open.at(-1).append(text);
  }

  openNode(scope) {
    const span = document.createElement("span");
    span.className = `code-${scope.split(".")[0].replaceAll("_", "-")}`;
    this.#open.at(-1).append(span);
    this.#open.push(span);
  }

  closeNode() {
    if (this.#open.length > 1) this.#open.pop();
  }

  startScope(scope) {
    this.openNode(scope);
  }

  endScope() {
    this.closeNode();
  }

  __addSublanguage(inner) {
    this.#open.at(-1).append(inner.root);
  }

  finalize() {}

  toHTML() {
    return "";
  }
}

hljs.configure({ __emitter: Nodes });
const loaded = new Map();

/** Colour one block by its grammars, its own first. */
export async function colour(code, grammars) {
  await Promise.all(grammars.map(learn));
  colourNow(code, grammars);
}

/** The same without waiting; says whether its grammars are here. */
export function colourNow(code, grammars) {
  if (!grammars.every((grammar) => hljs.getLanguage(grammar))) return false;
  const text = code.textContent;
  const result = hljs.highlight(text, { language: grammars[0], ignoreIllegals: true });
  const { root } = result._emitter;
  // A grammar that lost a character must not change what is shown.
  if (root.textContent !== text) return true;
  code.replaceChildren(root);
  code.dataset.coloured = "";
  return true;
}

function learn(grammar) {
  if (!loaded.has(grammar)) {
    const module = load(`../vendor/highlight-${grammar}.js`);
    loaded.set(grammar, module);
    module.then(
      ({ default: define }) => hljs.registerLanguage(grammar, define),
      () => loaded.delete(grammar),
    );
  }
  return loaded.get(grammar);
}
