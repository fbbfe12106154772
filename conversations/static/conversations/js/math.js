// Formulas drawn as MathML. KaTeX is loaded with the first formula.

import { standsAlone, texOf } from "./formulas.js";
import { load } from "./load.js";
import { sanitizedFormula } from "./sanitizer.js";

const LONGEST = 4000;
const KEPT = 500;

const drawn = new Map();
const waiting = new Set();
let katex = null;
let loading = null;

/**
 * Draw the formulas in nodes; what has to wait for the library is drawn in the page.
 * @param {DocumentFragment} fragment
 * @param {Element} element where the nodes will stand
 */
export function drawFormulas(fragment, element) {
  const spans = fragment.querySelectorAll(".math:not([data-source])");
  if (!spans.length) return;
  if (katex) spans.forEach(draw);
  else wait(element);
}

function wait(element) {
  waiting.add(element);
  loading ??= load("../vendor/katex.js").then(
    () => {
      katex = globalThis.katex; // It has no module that is small.
      for (const one of waiting) drawFormulas(one);
      waiting.clear();
    },
    () => (loading = null), // Formulas stay as they are written; the next one asks again.
  );
}

function draw(span) {
  const source = span.textContent;
  const picture = pictureOf(source);
  if (!picture) return;
  span.dataset.source = source;
  span.replaceChildren(picture.cloneNode(true));
}

function pictureOf(source) {
  if (!drawn.has(source)) {
    if (drawn.size >= KEPT) drawn.clear();
    drawn.set(source, source.length > LONGEST ? null : rendered(source));
  }
  return drawn.get(source);
}

/** Nodes of a formula; null where it is none that can be drawn. */
function rendered(source) {
  try {
    const html = katex.renderToString(texOf(source), {
      displayMode: standsAlone(source),
      output: "mathml",
      throwOnError: true,
      strict: "ignore",
      trust: false,
      maxExpand: 300,
      maxSize: 50,
    });
    // The source in another format, and styles that the page's policy refuses.
    const mathml = html.replace(/<annotation.*?<\/annotation>/gs, "").replace(/ style="[^"]*"/g, "");
    const fragment = sanitizedFormula(mathml);
    return fragment.querySelector("math") && fragment;
  } catch {
    return null;
  }
}
