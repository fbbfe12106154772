// A reply over server-sent events: the answer to a request is the stream.

import { Refused } from "./refused.js";
import { SseParser } from "./sse.js";

/**
 * Opens one connection after another; each is given up, or gives its events to the end.
 *
 * @typedef {object} Transport
 * @property {(opening: Opening) => Promise<Carried>} open throws as `fetch` does, or `Refused`
 *
 * @typedef {object} Opening
 * @property {string} id the reply's
 * @property {string} after the cursor of what the reader has
 * @property {import("./events.js").Start | null} start null once the server has the reply
 * @property {AbortSignal} signal ends the connection
 * @property {() => void} onAccepted called once the server has the reply
 * @property {() => void} onSign called with each sign of life
 * @property {(path: string, init: object) => Promise<Response>} fetch
 * @property {(signal: AbortSignal) => Promise<object>} load
 *
 * @typedef {object} Carried
 * @property {boolean} [settled] there is nothing to follow: the end was seen already
 * @property {AsyncIterator<object>} [events] a delta also has `cursor`; `{type: "stored", message}`
 *   is what is stored, whole
 * @property {() => number | null} [retryMs] what the server asked for
 * @property {() => void} [drain] called after the end
 */

/** @type {Transport} */
export const stream = {
  async open(opening) {
    const response = await answer(opening, "text/event-stream");
    if (response.status === 204) return { settled: true };
    opening.onAccepted();
    const parser = new SseParser();
    const reader = response.body.getReader();
    return {
      events: read(reader, parser, opening.onSign),
      retryMs: () => parser.retryMs,
      drain: () => drain(reader),
    };
  },
};

/** Start a reply, and leave its events to another connection. */
export async function start(opening) {
  const response = await answer(opening, "application/json");
  await response.body?.cancel();
  opening.onAccepted();
}

async function answer(opening, accept) {
  const response = await begin(opening, accept);
  opening.onSign();
  if (!response.ok) throw await Refused.from(response);
  // A proxy may lead to its own page for signing in: then nobody has taken what was said.
  const isOurs = !response.redirected && response.headers.get("Content-Type")?.startsWith(accept);
  if (response.status !== 204 && !isOurs) throw new TypeError("not the server's answer");
  return response;
}

async function begin({ id, after, start, signal, fetch }, accept) {
  const headers = { Accept: accept };
  if (!start) return fetch(`/api/runs/${id}/events?after=${after}`, { headers, signal, cache: "no-store" });
  await start.prepare?.(signal);
  headers["Content-Type"] = "application/json";
  return fetch(start.path, { method: "POST", headers, signal, body: JSON.stringify(start.body) });
}

async function* read(reader, parser, onSign) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onSign();
    yield* joined(parser.push(decoder.decode(value, { stream: true })).map(eventOf).filter(Boolean));
  }
}

/** What came together is taken together: deltas that follow each other become one. */
function joined(events) {
  const taken = [];
  for (const event of events) {
    const last = taken.at(-1);
    if (continues(event, last)) taken.splice(-1, 1, { ...event, at: last.at, text: last.text + event.text });
    else taken.push(event);
  }
  return taken;
}

function continues(event, last) {
  if (event.type !== "delta" || last?.type !== "delta" || !event.cursor) return false;
  return event.at === last.cursor && event.part === last.part && event.kind === last.kind;
}

function eventOf(frame) {
  try {
    const event = JSON.parse(frame.data);
    return event.type === "delta" ? { ...event, cursor: frame.id } : event;
  } catch {
    return null; // cut off or not ours; what it would have said shows up as a gap
  }
}

/** Read what is left, so that the connection can serve another request. */
async function drain(reader) {
  try {
    while (!(await reader.read()).done);
  } catch {
    // It broke after the end: nothing is lost.
  }
}
