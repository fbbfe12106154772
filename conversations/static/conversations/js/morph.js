// Nodes brought from one state to the next, keeping those that stay: what is selected stays
// selected, what is focused stays focused, and nothing flickers.

/** What a reader may have changed is kept as it is, but for its language. */
const KEPT = ".code-bar";

/**
 * Make a node in the page look like a fresh one.
 * @returns {Node} the one in the page
 */
export function become(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.nodeType !== fresh.nodeType) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) setText(old, fresh.data);
  else if (old.nodeType === Node.ELEMENT_NODE) becomeElement(old, fresh);
  return old;
}

function becomeElement(old, fresh) {
  if (old.matches(KEPT)) old.dataset.language = fresh.dataset.language ?? "";
  if (old.matches(KEPT) || isDrawn(old, fresh)) return;
  for (const name of old.getAttributeNames()) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const name of fresh.getAttributeNames()) {
    const value = fresh.getAttribute(name);
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  settle(old, [...old.childNodes], [...fresh.childNodes]);
}

function settle(parent, old, fresh) {
  fresh.forEach((node, index) => {
    if (old[index]) become(old[index], node);
    else parent.append(node);
  });
  for (const node of old.slice(fresh.length)) node.remove();
}

/** Whether an element shows its text in another form already: code in colours, a formula. */
function isDrawn(old, fresh) {
  if (old.dataset.source) return old.dataset.source === (fresh.dataset.source ?? fresh.textContent);
  return "coloured" in old.dataset && old.textContent === fresh.textContent;
}

function setText(node, text) {
  if (node.data === text) return;
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}
