// Where things lie. Our paths are written as in the protocol, `/api/…` and `/c/…`; the page says below
// which address of its site they are.

/** The address of a path of ours. */
export function address(path, base = baseOfPage()) {
  return base + path.slice(1);
}

/** The conversation whose page has this address; null where it is none of ours. */
export function conversationAt(pathname, base = baseOfPage()) {
  if (!pathname.startsWith(base)) return null;
  return /^c\/([0-9a-f-]{36})$/.exec(pathname.slice(base.length))?.[1] ?? null;
}

function baseOfPage() {
  return document.body.dataset.base;
}
