// Requests outside of a stream: sent again while the network or the server is away.

import { backoffMs } from "./backoff.js";
import { Refused } from "./events.js";

/**
 * Do something that may be repeated until it is answered.
 * @template T
 * @param {() => Promise<T>} attempt throws as `fetch` does, or `Refused`
 * @param {{attempts?: number, wait?: (ms: number) => Promise<void>, random?: () => number}} options
 * @returns {Promise<T>}
 * @throws {Error} the last failure; a refusal that a repeat cannot change at once
 */
export async function again(attempt, { attempts = 8, wait = pause, random } = {}) {
  for (let n = 0; ; n++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isPassing(error) || n + 1 >= attempts) throw error;
      await wait(Math.max(error.afterMs ?? 0, backoffMs(n, { random })));
    }
  }
}

/** Whether a failure may be gone at the next attempt: no answer, or 502, 503, 504. */
export function isPassing(error) {
  if (error?.name === "AbortError") return false;
  return error instanceof Refused ? [502, 503, 504].includes(error.status) : true;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
