// A reply where nothing streams: what is stored is read again and again.

import { pause, systemClock } from "./clock.js";
import { start } from "./stream.js";

const SOON_MS = 700;
const LATEST_MS = 5000;

/**
 * @param {{clock?: import("./clock.js").Clock}} options
 * @returns {import("./stream.js").Transport}
 */
export function polling({ clock = systemClock } = {}) {
  return {
    async open(opening) {
      if (opening.start) await start(opening);
      return { events: read(opening, clock) };
    },
  };
}

async function* read({ load, signal, onSign }, clock) {
  let [waitMs, cursor] = [SOON_MS, null];
  for (;;) {
    const message = await load(signal);
    onSign();
    yield { type: "stored", message };
    waitMs = message.cursor === cursor ? Math.min(waitMs * 1.5, LATEST_MS) : SOON_MS;
    cursor = message.cursor;
    await pause(waitMs, signal, clock);
  }
}
