// How long to wait before the next attempt.

/**
 * Exponential backoff with jitter: a server that comes back is not met by everybody at once.
 * @param {number} attempt 0 for the first
 * @param {{baseMs?: number, maxMs?: number, random?: () => number}} options
 * @returns {number} milliseconds, between half of the step and the whole of it
 */
export function backoffMs(attempt, { baseMs = 500, maxMs = 15_000, random = Math.random } = {}) {
  const step = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 20));
  return Math.round(step / 2 + (random() * step) / 2);
}

/**
 * What `Retry-After` asks for.
 * @param {string | null} header seconds, or an HTTP date
 * @returns {number | null} milliseconds; null where it says nothing
 */
export function retryAfterMs(header, now = Date.now()) {
  if (!header) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
