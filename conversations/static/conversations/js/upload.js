// One file on its way to the server. XMLHttpRequest, because fetch does not tell how far it is.

import { renewToken, tokenHeaders } from "./api.js";
import { retryAfterMs } from "./backoff.js";
import { Refused } from "./events.js";
import { address } from "./places.js";

/**
 * Upload a file.
 * @param {File} file
 * @param {{onProgress: (share: number) => void, signal: AbortSignal}} options share: from 0 to 1
 * @returns {Promise<object>} the attachment
 * @throws {Refused} the answer is an error; TypeError: there is none; AbortError
 */
export async function upload(file, options) {
  try {
    return await attempt(file, options);
  } catch (error) {
    if (error?.error?.code !== "csrf_failed") throw error;
    await renewToken();
    return attempt(file, options);
  }
}

function attempt(file, { onProgress, signal }) {
  const form = new FormData();
  form.append("file", file, file.name);
  const asking = new XMLHttpRequest();
  asking.open("POST", address("/api/attachments"));
  asking.setRequestHeader("Accept", "application/json");
  for (const [name, value] of Object.entries(tokenHeaders())) asking.setRequestHeader(name, value);
  const abort = () => asking.abort();
  signal.addEventListener("abort", abort);
  const answered = new Promise((resolve, reject) => {
    asking.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    asking.onload = () => settle(asking, resolve, reject);
    asking.onerror = () => reject(new TypeError("The upload broke off."));
    asking.onabort = () => reject(new DOMException("Aborted", "AbortError"));
    if (signal.aborted) asking.onabort();
    else asking.send(form);
  });
  return answered.finally(() => signal.removeEventListener("abort", abort));
}

function settle(asking, resolve, reject) {
  const body = parsed(asking.responseText);
  if (asking.status === 201 && body?.id) {
    resolve(body);
    return;
  }
  const unknown = { code: "unknown", message: `The server answered ${asking.status}.` };
  const after = retryAfterMs(asking.getResponseHeader("Retry-After"));
  reject(new Refused(asking.status, body?.error ?? unknown, after));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
