// Requests to our own server, with the session's CSRF token.

import { Refused } from "./events.js";

/** `fetch` with the CSRF token; a token that has changed meanwhile is read again once. */
export async function request(path, init = {}) {
  const response = await fetch(path, withToken(init));
  if (response.status !== 403 || !isUnsafe(init)) return response;
  const error = await response.clone().json().catch(() => null);
  if (error?.error?.code !== "csrf_failed") return response;
  await fetch("/api/session", { cache: "no-store" });
  return fetch(path, withToken(init));
}

/**
 * Ask for JSON.
 * @param {string} path
 * @param {{method?: string, body?: object, signal?: AbortSignal}} options
 * @throws {Refused} the answer is an error
 */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await request(path, {
    method,
    headers,
    signal,
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
  if (!found) throw new Refused(404, { code: "not_found", message: "The message is gone." });
  return found;
}

function withToken(init) {
  if (!isUnsafe(init)) return init;
  return { ...init, headers: { ...init.headers, "X-CSRFToken": token() } };
}

function isUnsafe(init) {
  return !["GET", "HEAD"].includes(init.method ?? "GET");
}

function token() {
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith("csrftoken="));
  return found ? decodeURIComponent(found.slice("csrftoken=".length)) : "";
}
