// A thread beside the page's: it reads streams whose pieces come by the thousand, and hands over what
// has gathered. The browser asks a page for a task and a promise for each piece; here that disturbs
// nobody. See gathered.js for the page's side.

const GROWTH = 1 / 20;
const LONGEST_MS = 200;
const FULL_BYTES = 64 * 1024;

/** How long pieces gather in a stream of this age: at first they are handed over as they come. */
export function pauseAt(ageMs) {
  return Math.min(ageMs * GROWTH, LONGEST_MS);
}

/**
 * Read what the other end of a port asks for.
 * @param {MessagePort} port or a worker's own scope
 * @param {{fetch: typeof fetch, clock: import("./clock.js").Clock}} options
 */
export function serve(port, { fetch, clock }) {
  const aborts = new Map();
  port.onmessage = ({ data: { id, url, init } }) => {
    if (!url) return aborts.get(id)?.abort();
    aborts.set(id, new AbortController());
    const asked = fetch(url, { ...init, signal: aborts.get(id).signal });
    const tell = (message, transfer = []) => port.postMessage({ id, ...message }, transfer);
    answer(asked, tell, clock).finally(() => aborts.delete(id));
  };
  port.postMessage({ isReady: true });
}

async function answer(asked, tell, clock) {
  try {
    const { status, headers, body } = await asked;
    tell({ head: { status, headers: [...headers] }, hasBody: body !== null });
    if (body) await handOver(body.getReader(), (bytes) => tell({ bytes }, [bytes.buffer]), clock);
    tell({});
  } catch (error) {
    tell({ error: new TypeError(error.message) });
  }
}

/** The first piece is handed over at once, and so is the last. */
async function handOver(reader, hand, clock) {
  const begun = clock.now();
  let [handed, timer] = [-LONGEST_MS, null];
  let [pieces, size] = [[], 0];
  const handNow = () => {
    clock.clearTimeout(timer);
    const gathered = joined(pieces, size);
    [handed, timer, pieces, size] = [clock.now(), null, [], 0];
    if (gathered.length) hand(gathered);
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      pieces.push(value);
      size += value.length;
      const rest = handed + pauseAt(clock.now() - begun) - clock.now();
      if (rest <= 0 || size >= FULL_BYTES) handNow();
      else timer ??= clock.setTimeout(handNow, rest);
    }
  } finally {
    handNow();
  }
}

function joined(pieces, size) {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

// Only a thread that may ask the server says that it is ready: its policy is that of this file.
if (globalThis.WorkerGlobalScope) {
  await fetch(location.href);
  const clock = {
    now: () => performance.now(),
    setTimeout: (task, ms) => setTimeout(task, ms),
    clearTimeout: (timer) => clearTimeout(timer),
  };
  serve(globalThis, { fetch: (...request) => fetch(...request), clock });
}
