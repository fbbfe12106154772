// A reply as a reader has it: a message, then the events that follow. Values only, no DOM.

import { START, advance, codePoints, compareCursors, endOf } from "./cursor.js";

/**
 * @typedef {object} Reply
 * @property {string} id also the id of its run
 * @property {{kind: string, text: string}[]} parts
 * @property {string} cursor belongs to exactly these parts
 * @property {string} status running, completed, stopped, interrupted or failed
 * @property {string} reason
 * @property {boolean} retryable
 * @property {object | null} usage
 * @property {string} model
 * @property {string} provider
 * @property {number | null} firstTokenMs these are known once the settled message was read
 * @property {number | null} durationMs
 * @property {string | null} createdAt
 * @property {number} rating what its reader thinks of it: 1, -1, or 0 for nothing
 * @property {string} comment
 * @property {string} phase of a running reply: waiting, streaming or recovering
 */

/** A reply of which nothing is known yet. */
export function pendingReply(id, fields = {}) {
  return {
    id,
    parts: [],
    cursor: START,
    status: "running",
    reason: "",
    retryable: false,
    usage: null,
    model: "",
    provider: "",
    firstTokenMs: null,
    durationMs: null,
    createdAt: null,
    rating: 0,
    comment: "",
    phase: "waiting",
    ...fields,
  };
}

/** A reply as the server stores it. */
export function replyFrom(message) {
  const parts = message.parts
    .filter((part) => typeof part.text === "string")
    .map(({ kind, text }) => ({ kind, text }));
  return pendingReply(message.id, {
    parts,
    cursor: message.cursor ?? endOf(parts),
    status: message.status,
    reason: message.reason ?? "",
    retryable: Boolean(message.retryable),
    usage: message.usage ?? null,
    model: message.model ?? "",
    provider: message.provider ?? "",
    firstTokenMs: message.first_token_ms ?? null,
    durationMs: message.duration_ms ?? null,
    createdAt: message.created_at ?? null,
    rating: message.rating ?? 0,
    comment: message.comment ?? "",
    phase: parts.length ? "streaming" : "waiting",
  });
}

/**
 * Take what the server stores, unless we are ahead: then it was read before what we have.
 * Text that a person has seen is never taken away.
 */
export function adopt(reply, message) {
  const stored = replyFrom(message);
  return compareCursors(stored.cursor, reply.cursor) >= 0 ? stored : reply;
}

/** What changes in a message while its reply is written, in the words of the wire. */
export function asMessage({ parts, cursor, status, reason, retryable, usage, model }) {
  return { parts, cursor, status, reason, retryable, usage, model };
}

/** The same reply, on its way again. */
export function reopened(reply) {
  return { ...reply, status: "running", reason: "", retryable: false, phase: "waiting" };
}

/** The text of a reply: its text parts, joined. */
export function textOf(reply) {
  return joined(reply, "text");
}

/** What the model thought before it spoke. */
export function reasoningOf(reply) {
  return joined(reply, "reasoning");
}

/**
 * Apply one event of a subscription.
 * @param {Reply} reply
 * @param {object} event its data; of a delta also `cursor`, from the frame's id
 * @returns {{reply: Reply, gap: boolean}} `gap`: text is missing, the message has to be read again
 */
export function apply(reply, event) {
  switch (event.type) {
    case "started":
      return { reply: withModel(reply, event.model), gap: event.cursor !== reply.cursor };
    case "delta":
      return applyDelta(reply, event);
    case "ping":
      return { reply: { ...reply, phase: event.state }, gap: false };
    case "ended":
      if (event.cursor !== reply.cursor) return { reply, gap: true };
      return { reply: ended(reply, event), gap: false };
    default:
      return { reply, gap: false };
  }
}

/**
 * Compare the text with what `ended` says of the whole.
 * @param {(text: string) => Promise<string | null>} digest null: cannot be computed here
 */
export async function isWhole(reply, event, digest = sha256Hex) {
  const text = textOf(reply);
  if (codePoints(text) !== event.text_length) return false;
  const actual = await digest(text);
  return actual === null || actual === event.text_sha256;
}

/** SHA-256 in hex; null where the browser offers none (no secure context). */
export async function sha256Hex(text) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return null;
  const bytes = new Uint8Array(await subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function applyDelta(reply, event) {
  const cursor = advance(event.at, event.part, event.text);
  const known = event.part <= reply.parts.length;
  const fits = event.part === reply.parts.length || event.part === reply.parts.length + 1;
  if (event.at !== reply.cursor || !fits || (event.cursor && event.cursor !== cursor)) {
    return { reply, gap: true };
  }
  const last = reply.parts.at(-1);
  const parts = known
    ? [...reply.parts.slice(0, -1), { kind: last.kind, text: last.text + event.text }]
    : [...reply.parts, { kind: event.kind, text: event.text }];
  return { reply: { ...reply, parts, cursor, phase: "streaming" }, gap: false };
}

function ended(reply, event) {
  return {
    ...reply,
    status: event.status,
    reason: event.reason,
    retryable: event.retryable,
    usage: event.usage,
  };
}

function withModel(reply, model) {
  return model && model !== reply.model ? { ...reply, model } : reply;
}

function joined(reply, kind) {
  return reply.parts
    .filter((part) => part.kind === kind)
    .map((part) => part.text)
    .join("");
}
