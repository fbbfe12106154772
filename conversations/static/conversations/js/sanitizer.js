// Everything a model says passes here on its way into the page, and nowhere else.

// Its small form is no module: it leaves its name behind.
import "../vendor/purify.js";
import { gettext } from "./i18n.js";

const purifier = globalThis.DOMPurify;

const COMMON = {
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const MARKDOWN = {
  ...COMMON,
  ALLOWED_TAGS: (
    "a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr input ins kbd li mark ol p pre s span " +
    "strong sub sup table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["align", "checked", "class", "disabled", "href", "start", "title", "type"],
  // Without these the purifier takes every attribute's value for an address.
  ADD_URI_SAFE_ATTR: ["align", "checked", "disabled", "start", "type"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
};
const FORMULA = {
  ...COMMON,
  ALLOWED_TAGS: (
    "math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mroot mrow ms mspace " +
    "msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover semantics"
  ).split(" "),
  ALLOWED_ATTR: (
    "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form " +
    "height largeop linethickness lspace mathcolor mathvariant maxsize minsize movablelimits notation " +
    "rowlines rowspacing rspace scriptlevel separator stretchy symmetric voffset width"
  ).split(" "),
};

// Only our own renderers write classes: HTML in Markdown is text.
const CLASSES = new Set("math math-source note note-mark note-number picture verbatim".split(" "));
const LANGUAGE = /^language-[\w+#.-]{1,30}$/;

purifier.addHook("afterSanitizeAttributes", (node) => {
  const { tagName } = node;
  if (tagName === "A") {
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  }
  if (tagName === "INPUT") {
    if (node.getAttribute("type") === "checkbox") {
      node.setAttribute("disabled", "");
      node.setAttribute("aria-label", node.hasAttribute("checked") ? gettext("Done") : gettext("To do"));
    } else node.remove();
  }
  const name = node.getAttribute("class");
  if (name === null) return;
  if (tagName === "CODE" ? !LANGUAGE.test(name) : !CLASSES.has(name)) node.removeAttribute("class");
});

/** HTML of Markdown as nodes that may stand in the page. */
export function sanitized(html) {
  return by(MARKDOWN, html);
}

/** MathML as nodes that may stand in the page. */
export function sanitizedFormula(mathml) {
  return by(FORMULA, mathml);
}

let rules = null;

/** To read its rules takes the purifier longer than to clean a paragraph. */
function by(wanted, html) {
  if (rules !== wanted) purifier.setConfig(wanted);
  rules = wanted;
  return purifier.sanitize(html);
}
