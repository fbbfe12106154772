// Time, so that tests can bring their own.

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds that never go back
 * @property {(task: () => void, ms: number) => unknown} setTimeout
 * @property {(id: unknown) => void} clearTimeout
 */

/** @type {Clock} */
export const systemClock = {
  now: () => performance.now(),
  setTimeout: (task, ms) => setTimeout(task, ms),
  clearTimeout: (id) => clearTimeout(id),
};

/** Wait, unless the signal ends it: then with an `AbortError`. */
export function pause(ms, signal, clock = systemClock) {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(over, ms);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
    function over() {
      signal.removeEventListener("abort", abort);
      resolve();
    }
    function abort() {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      reject(aborted());
    }
  });
}

/** What `fetch` throws when it is aborted. */
export function aborted() {
  return new DOMException("aborted", "AbortError");
}
