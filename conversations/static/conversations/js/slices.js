// Work that would hold the page up, done in slices: between two of them it draws and listens.

const SLICE_MS = 10;

/** What is not done yet; the last is done first, since it is the nearest to the reader. */
const waiting = [];
let isPlanned = false;

/**
 * Do some work step by step, soon.
 * @param {() => boolean} step does a little, and says whether there is more to do
 */
export function inSlices(step) {
  waiting.push(step);
  plan();
}

/** Whether a slice that began at a moment is over. */
export function isSpent(begun) {
  return performance.now() - begun >= SLICE_MS;
}

function plan() {
  if (isPlanned || !waiting.length) return;
  isPlanned = true;
  setTimeout(() => {
    isPlanned = false;
    const begun = performance.now();
    // A hidden page holds nobody up, and its timers are slow.
    while (waiting.length && (document.hidden || !isSpent(begun))) doOne();
    plan();
  });
}

function doOne() {
  const step = waiting.at(-1);
  let isMore = false;
  try {
    isMore = step();
  } finally {
    // It may have asked for other work, which then comes first.
    if (!isMore) waiting.splice(waiting.indexOf(step), 1);
  }
}

/** Do all of it now. */
export function doAll() {
  while (waiting.length) doOne();
}

// On paper there is no later.
globalThis.addEventListener?.("beforeprint", doAll);
