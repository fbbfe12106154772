// Blocks of code: a bar with the language and two buttons, and colours once the block is whole.

import { copyText } from "./clipboard.js";
import { ICONS, icon, make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";
import { languageOf } from "./languages.js";
import { load } from "./load.js";

const LONGEST = 20_000;
const SHORT = 2000;
const WRAP = "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15 15.5L12.5 18l2.5 2.5M4 18h4";
const COPIED_MS = 1500;
const ENOUGH_MS = 5;

/**
 * Put a bar over each block of code.
 *
 * Words of ours are attributes, drawn by the style sheet: the text of a reply is what the model
 * said and nothing else, for whoever selects it.
 */
export function dress(fragment) {
  for (const pre of fragment.querySelectorAll("pre")) {
    const { title } = languageOf(wordOf(pre.firstElementChild));
    const block = make(
      "div",
      { className: "code-block", role: "group", aria: { label: labelOf(title) } },
      bar(title),
    );
    pre.tabIndex = 0;
    pre.replaceWith(block);
    block.append(pre);
  }
}

/** Let the buttons in an element work, those too that come later. */
export function listen(element) {
  element.addEventListener("click", ({ target }) => {
    const button = target.closest?.(".code-bar button");
    if (!button) return;
    if (button.dataset.action === "wrap") toggle(button);
    else copy(button);
  });
}

/**
 * Colour the blocks of code in nodes that do not change any more: short ones at once, which saves
 * the page a frame, if what it takes is here; others when the page has time.
 */
export function colourSoon(nodes) {
  for (const node of nodes) {
    for (const code of node.querySelectorAll?.("pre > code[class]") ?? []) {
      const { grammars } = languageOf(wordOf(code));
      const { length } = code.textContent;
      if (!grammars.length || length > LONGEST) continue;
      if (length > SHORT || !colours?.colourNow(code, grammars)) waiting.add(code);
    }
  }
  if (waiting.size && !busy) work();
}

const waiting = new Set();
let busy = false;
let colours = null;

async function work() {
  busy = true;
  try {
    colours = await load("./colours.js");
    for (let time = await idle(); waiting.size; ) {
      const [code] = waiting;
      waiting.delete(code);
      await colours.colour(code, languageOf(wordOf(code)).grammars).catch(() => {});
      // Each change makes the page draw a frame: several together are cheaper.
      if (time.timeRemaining() < ENOUGH_MS) time = await idle();
    }
  } catch {
    waiting.clear(); // Without the library code is plain; the next block asks for it again.
  }
  busy = false;
}

function idle() {
  return new Promise((resolve) => {
    if (globalThis.requestIdleCallback) requestIdleCallback(resolve, { timeout: 500 });
    else setTimeout(() => resolve({ timeRemaining: () => 0 }), 50);
  });
}

function bar(language) {
  return make(
    "div",
    { className: "code-bar", data: { language } },
    button("wrap", gettext("Wrap lines"), WRAP, { pressed: "false" }),
    button("copy", gettext("Copy"), ICONS.copy),
  );
}

function button(action, label, path, aria = {}) {
  const options = { type: "button", title: label, data: { action, label }, aria: { label, ...aria } };
  return make("button", options, icon(path));
}

function toggle(button) {
  const pressed = button.getAttribute("aria-pressed") === "true";
  button.setAttribute("aria-pressed", String(!pressed));
}

async function copy(button) {
  const { textContent } = button.closest(".code-block").querySelector("pre");
  if (!(await copyText(textContent))) return;
  show(button, gettext("Copied"), ICONS.done);
  setTimeout(() => show(button, gettext("Copy"), ICONS.copy), COPIED_MS);
}

function show(button, label, path) {
  button.replaceChildren(icon(path));
  button.dataset.label = label;
  button.setAttribute("aria-label", label);
}

function labelOf(title) {
  return title ? interpolate(gettext("Code: %s"), [title]) : gettext("Code");
}

function wordOf(code) {
  return code?.className.replace(/^language-/, "") ?? "";
}
