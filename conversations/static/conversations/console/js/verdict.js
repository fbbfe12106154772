// What the arrival times of a stream's events say about the way that they took. Pure.

const BUFFERED_SHARE = 0.3;
const LATE_MS = 600;

/**
 * @param {{at: number, arrived: number}[]} probes when each was sent and when it came, in
 *   milliseconds of two clocks that need not agree
 * @param {{expected: number, encoding?: string | null}} options
 * @returns {{verdict: "fine" | "buffered" | "bursts" | "broken" | "compressed", lateMs: number}}
 *   lateMs: how much later than the quickest event the slowest one came
 */
export function verdictOf(probes, { expected, encoding = null }) {
  if (probes.length < expected || probes.length < 2) return { verdict: "broken", lateMs: 0 };
  const ways = probes.map(({ at, arrived }) => arrived - at);
  const lateMs = Math.round(Math.max(...ways) - Math.min(...ways));
  const [first, last] = [probes[0], probes.at(-1)];
  const share = (last.arrived - first.arrived) / (last.at - first.at);
  if (share < BUFFERED_SHARE) return { verdict: "buffered", lateMs };
  if (lateMs > LATE_MS) return { verdict: "bursts", lateMs };
  return { verdict: encoding ? "compressed" : "fine", lateMs };
}
