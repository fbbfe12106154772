// Which announcements this browser hides: by id and text, so that a changed one comes back. Pure.

/** @typedef {Record<string, string>} Hidden the hidden text of each announcement, by its id */

/**
 * @param {Hidden} hidden
 * @param {{id: number, text: string}} one
 */
export function isHidden(hidden, one) {
  return hidden?.[one.id] === one.text;
}

/**
 * Hide one more, and forget those that are over.
 * @param {Hidden} hidden
 * @param {{id: number, text: string}} one
 * @param {{id: number, text: string}[]} announced what is announced now
 * @returns {Hidden}
 */
export function withHidden(hidden, one, announced) {
  const kept = announced.filter((other) => other.id === one.id || isHidden(hidden, other));
  return Object.fromEntries(kept.map(({ id, text }) => [id, text]));
}
