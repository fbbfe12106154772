// A request that the server answered with an error.

import { retryAfterMs } from "./backoff.js";

/** An answer that is an error of the contract. */
export class Refused extends Error {
  constructor(status, error, afterMs = null) {
    super(error.message);
    this.status = status;
    this.error = { ...error, status };
    this.afterMs = afterMs;
  }

  /** Read the error out of a response. */
  static async from(response) {
    const unknown = { code: "unknown", message: `The server answered ${response.status}.` };
    const error = await response.json().then(
      (body) => body?.error ?? unknown,
      () => unknown,
    );
    return new Refused(response.status, error, retryAfterMs(response.headers.get("Retry-After")));
  }
}
