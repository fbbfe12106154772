// Requests to our own server, with the session's CSRF token.

import { Refused } from "./events.js";
import { gettext } from "./i18n.js";
import { load } from "./load.js";
import { address } from "./places.js";

// A connection that is dead without a word would hold a request for ever.
const DEADLINE_MS = 60_000;

let read = (...request) => fetch(...request);

/** Have streams read by a thread beside the page, see gathered.js. */
export async function gatherStreams() {
  read = (await load("./gathered.js")).byThread();
}

/** `fetch` with the CSRF token; a token that has changed meanwhile is read again once. */
export async function request(path, init = {}) {
  const response = await read(address(path), withToken(init));
  if (response.status !== 403 || !isUnsafe(init)) return response;
  const error = await response.clone().json().catch(() => null);
  if (error?.error?.code !== "csrf_failed") return response;
  await renewToken();
  return read(address(path), withToken(init));
}

/** The header that an unsafe request of ours carries. */
export function tokenHeaders() {
  const { csrfCookie, csrfHeader } = document.body.dataset;
  return { [csrfHeader]: cookie(csrfCookie) };
}

/** Have the token's cookie set anew: signing in elsewhere has changed it. */
export async function renewToken() {
  await fetch(address("/api/session"), { cache: "no-store" });
}

/**
 * Ask for JSON.
 * @param {string} path
 * @param {{method?: string, body?: object, signal?: AbortSignal, keepalive?: boolean}} options
 *   with `keepalive` it is sent even where the page is left meanwhile; without `signal` it is given up
 *   after a minute
 * @throws {Refused} the answer is an error
 */
export async function ask(path, { method = "GET", body, signal, keepalive } = {}) {
  signal ??= AbortSignal.timeout?.(DEADLINE_MS);
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await request(path, {
    method,
    headers,
    signal,
    keepalive,
    cache: "no-store",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw await Refused.from(response);
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** Read one message as it is stored. */
export async function readMessage(conversationId, messageId, signal) {
  const { messages } = await ask(`/api/conversations/${conversationId}/messages`, { signal });
  const found = messages.find((message) => message.id === messageId);
  if (!found) throw new Refused(404, { code: "not_found", message: gettext("The message is gone.") });
  return found;
}

function withToken(init) {
  if (!isUnsafe(init)) return init;
  return { ...init, headers: { ...init.headers, ...tokenHeaders() } };
}

/** The name and value that a form of ours carries in place of the header. */
export function tokenField() {
  return ["csrfmiddlewaretoken", cookie(document.body.dataset.csrfCookie)];
}

function isUnsafe(init) {
  return !["GET", "HEAD"].includes(init.method ?? "GET");
}

function cookie(name) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}
