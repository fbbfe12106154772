// `fetch` for streams whose pieces come by the thousand: a thread of its own reads them (gatherer.js)
// and hands over what has gathered. Until it is ready, and where there is none, the page reads itself.

/**
 * Start the thread, where the browser and the page's policy allow it.
 * @returns {typeof fetch} by the thread for event streams, once there is one
 */
export function byThread() {
  let carrier = null;
  try {
    const worker = new Worker(addressOfScript(), { type: "module" });
    worker.onmessage = () => (carrier = new Carrier(worker)); // its first word: it is ready
    worker.onerror = () => {
      worker.terminate(); // else its requests would go on, unread
      carrier?.fail();
      carrier = null;
    };
  } catch {
    // Unknown or forbidden here: then the page reads by itself.
  }
  return (url, init) => {
    const isStream = init.headers?.Accept === "text/event-stream";
    return isStream && carrier ? carrier.fetch(url, init) : fetch(url, init);
  };
}

/** The only script that this policy trusts, whatever it is asked for. */
function addressOfScript() {
  const createScriptURL = () => import.meta.resolve("./gatherer.js");
  const policy = globalThis.trustedTypes?.createPolicy("holdfast-gatherer", { createScriptURL });
  return policy?.createScriptURL("") ?? createScriptURL();
}

/** Carries requests over a port, to whoever `serve`s its other end. */
export class Carrier {
  #port;
  #asked = new Map();
  #last = 0;

  /** @param {MessagePort | Worker} port */
  constructor(port) {
    this.#port = port;
    port.onmessage = ({ data: { id, ...message } }) => this.#asked.get(id)?.(message);
  }

  /** As the browser's `fetch`; in `init`, but for the signal, only what can be sent over a port. */
  fetch(url, { signal, ...init }) {
    const id = ++this.#last;
    const leave = () => {
      this.#port.postMessage({ id });
      this.#asked.delete(id);
    };
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const answer = new Answer({ resolve, reject, leave });
      const abort = () => {
        leave();
        answer.take({ error: signal.reason });
      };
      signal?.addEventListener("abort", abort);
      this.#asked.set(id, (message) => {
        answer.take(message);
        if (!answer.isOver) return;
        this.#asked.delete(id);
        signal?.removeEventListener("abort", abort);
      });
      this.#port.postMessage({ id, url: new URL(url, globalThis.location?.href).href, init });
    });
  }

  /** The other end is gone. */
  fail() {
    for (const take of [...this.#asked.values()]) take({ error: new TypeError("the thread is gone") });
  }
}

/** The response to one request, as it comes in. */
class Answer {
  isOver = false;
  #asker;
  #stream = null;

  constructor(asker) {
    this.#asker = asker;
  }

  take({ head, hasBody, bytes, error }) {
    if (head) this.#begin(head, hasBody);
    else if (bytes) this.#stream.enqueue(bytes);
    else this.#end(error);
  }

  #begin(head, hasBody) {
    const start = (controller) => (this.#stream = controller);
    const body = hasBody ? new ReadableStream({ start, cancel: this.#asker.leave }) : null;
    this.#asker.resolve(new Response(body, head));
  }

  #end(error) {
    this.isOver = true;
    if (!error) return this.#stream?.close();
    this.#asker.reject(error);
    this.#stream?.error(error);
  }
}
