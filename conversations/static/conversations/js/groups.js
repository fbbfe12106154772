// The list of conversations by date.

import { LANGUAGE, gettext } from "./i18n.js";

/**
 * @typedef {{id: string, title: string, updated_at?: string, pinned?: boolean}} Conversation
 * @typedef {{key: string, label: string, conversations: Conversation[]}} Group
 */

/** Newest first; what the server does not know yet comes before everything else. */
export function newestFirst(one, other) {
  const [at, otherAt] = [timeOf(one), timeOf(other)];
  if (at !== otherAt) return at < otherAt ? 1 : -1;
  return one.id < other.id ? 1 : -1;
}

/**
 * Group conversations under headings, in the order in which they are shown.
 * @param {Conversation[]} conversations newest first
 * @param {Date} now
 * @param {string} language of the months' names
 * @returns {Group[]} none of them empty
 */
export function grouped(conversations, now = new Date(), language = LANGUAGE) {
  const groups = new Map();
  const headings = headingsAt(now, language);
  const pinned = conversations.filter((one) => one.pinned);
  if (pinned.length) groups.set("pinned", { label: gettext("Pinned"), conversations: pinned });
  for (const one of conversations) {
    if (one.pinned) continue;
    const { key, label } = headings(timeOf(one));
    if (!groups.has(key)) groups.set(key, { label, conversations: [] });
    groups.get(key).conversations.push(one);
  }
  return [...groups].map(([key, group]) => ({ key, ...group }));
}

function headingsAt(now, language) {
  const daysAgo = (days) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime();
  const recent = [
    { key: "today", label: gettext("Today"), since: daysAgo(0) },
    { key: "yesterday", label: gettext("Yesterday"), since: daysAgo(1) },
    { key: "week", label: gettext("Previous 7 days"), since: daysAgo(7) },
    { key: "month", label: gettext("Previous 30 days"), since: daysAgo(30) },
  ];
  const thisYear = new Intl.DateTimeFormat(language, { month: "long" });
  const otherYear = new Intl.DateTimeFormat(language, { month: "long", year: "numeric" });
  return (time) => {
    const found = recent.find(({ since }) => time >= since);
    if (found) return found;
    const date = new Date(time);
    const names = date.getFullYear() === now.getFullYear() ? thisYear : otherYear;
    return { key: `${date.getFullYear()}-${date.getMonth() + 1}`, label: names.format(date) };
  };
}

function timeOf({ updated_at }) {
  return updated_at ? Date.parse(updated_at) : Infinity;
}
