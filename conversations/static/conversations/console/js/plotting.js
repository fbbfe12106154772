// From samples to the lines of a plot. Pure.

/** Longest time between two samples that a line still joins, in seconds. */
export const GAP_SECONDS = 7;

/**
 * The path of one series in a box, newest at the right edge; broken where nothing was sampled.
 * @param {{at: number}[]} samples in order
 * @param {string} key of the figure
 * @param {{width: number, height: number, span: number, most: number}} box span: in seconds
 * @returns {string} what an SVG path draws
 */
export function pathOf(samples, key, { width, height, span, most }) {
  const last = samples.at(-1)?.at ?? 0;
  let path = "";
  let before = -Infinity;
  for (const sample of samples) {
    const value = sample[key];
    if (value === undefined || sample.at < last - span) continue;
    const x = width - ((last - sample.at) / span) * width;
    const y = height - Math.min(Math.max(value / most, 0), 1) * height;
    path += `${sample.at - before > GAP_SECONDS ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = sample.at;
  }
  return path;
}

/** The top of a plot: the least of 1, 2 or 5 times a power of ten that nothing exceeds. */
export function topOf(samples, keys, least = 1) {
  const most = Math.max(least, ...samples.flatMap((one) => keys.map((key) => one[key] ?? 0)));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= most * 0.999);
}

/** A number of bytes in few characters. */
export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size.toFixed(size < 10 && unit ? 1 : 0)} ${units[unit]}`;
}
