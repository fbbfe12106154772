// What an import came to, in words. Pure.

import { gettext, interpolate, ngettext } from "./i18n.js";

/** What became of the conversations, in a sentence or two. */
export function summaryOf({ added, grown, already_there: there, messages }) {
  const said = [];
  if (added) {
    said.push(count(ngettext("%s conversation added.", "%s conversations added.", added), added));
  }
  if (grown) {
    const text = ngettext("%s conversation has grown.", "%s conversations have grown.", grown);
    said.push(count(text, grown));
  }
  if (messages) {
    said.push(count(ngettext("%s message is new.", "%s messages are new.", messages), messages));
  }
  if (there) {
    const text = ngettext(
      "%s conversation was here already.",
      "%s conversations were here already.",
      there,
    );
    said.push(count(text, there));
  }
  return said.join(" ") || gettext("Nothing was added.");
}

/**
 * What was not taken, and why, each as a few words.
 * @param {{refused?: object, reason?: string | null, left_out: object}} told a report, or a
 *   conversation of it
 */
export function reasonsOf({ refused = {}, reason = null, left_out: leftOut }) {
  const found = { ...refused };
  if (reason) found[reason] = 1;
  return [...wordsOf(found, CONVERSATIONS), ...wordsOf(leftOut, PARTS)];
}

/** The type of a file that is sent, by its name. */
export function typeOf(name) {
  if (/\.zip$/i.test(name)) return "application/zip";
  return /\.jsonl$/i.test(name) ? "application/jsonl" : "application/json";
}

function wordsOf(counts, words) {
  const sums = new Map();
  for (const [reason, number] of Object.entries(counts)) {
    const said = words[reason] ?? words.unknown;
    sums.set(said, (sums.get(said) ?? 0) + number);
  }
  return [...sums].map(([said, number]) => count(said(number), number));
}

function count(text, number) {
  return interpolate(text, [number]);
}

const CONVERSATIONS = {
  empty: (n) => ngettext("%s empty conversation", "%s empty conversations", n),
  unknown_version: (n) =>
    ngettext("%s conversation from a newer version", "%s conversations from a newer version", n),
  unknown: (n) =>
    ngettext("%s conversation that cannot be read", "%s conversations that cannot be read", n),
};

const PARTS = {
  empty: (n) => ngettext("%s empty message", "%s empty messages", n),
  system: (n) => ngettext("%s instruction to the model", "%s instructions to the model", n),
  hidden: (n) => ngettext("%s hidden message", "%s hidden messages", n),
  tool: (n) => ngettext("%s step of a tool", "%s steps of tools", n),
  image: (n) => ngettext("%s message's image", "%s messages' images", n),
  file: (n) => ngettext("%s file", "%s files", n),
  too_long: (n) => ngettext("%s message that is too long", "%s messages that are too long", n),
  too_many: (n) => ngettext("%s message too many", "%s messages too many", n),
  unknown: (n) => ngettext("%s part that cannot be read", "%s parts that cannot be read", n),
};
