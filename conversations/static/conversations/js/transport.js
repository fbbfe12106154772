// Which way a reply comes: chosen anew for each connection.

import { load } from "./load.js";
import { start, stream } from "./stream.js";

/** What a person may choose. */
export const CHOICES = ["auto", "sse", "socket", "poll"];

const KEY = "holdfast-transport";

/** The person's choice, kept in this browser. */
export const transportChoice = {
  /** @returns {"auto" | "sse" | "socket" | "poll"} */
  get() {
    try {
      const kept = localStorage.getItem(KEY);
      return CHOICES.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // storage is forbidden here
    }
  },

  /** It holds for the next connection. */
  set(choice) {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Storage is full or forbidden: then it is as it was.
    }
  },
};

/**
 * Choose.
 * @param {object} facts
 * @param {"auto" | "sse" | "socket" | "poll"} facts.choice the person's
 * @param {boolean} facts.hasSeat whether this tab may have a stream, see seat.js
 * @param {number} facts.streams how many it has
 * @param {import("./socket.js").State} facts.socket
 * @returns {"sse" | "socket" | "poll"}
 */
export function choose({ choice, hasSeat, streams, socket }) {
  if (choice !== "auto") return choice;
  if (hasSeat && streams === 0) return "sse";
  return socket === "blocked" ? "poll" : "socket";
}

/**
 * A transport that is one of the three by choice and circumstances.
 * @param {object} options
 * @param {import("./socket.js").Socket} options.socket
 * @param {import("./seat.js").Seat} options.seat
 * @param {() => string} [options.choice]
 * @returns {import("./stream.js").Transport}
 */
export function anyTransport({ socket, seat, choice = transportChoice.get }) {
  const streams = new Set();
  const ways = {
    sse: { open: (opening) => counted(opening, streams) },
    socket: carriedBy(socket),
    // Few need it.
    poll: { open: async (opening) => (await load("./poll.js")).polling().open(opening) },
  };
  return {
    async open(opening) {
      const chosen = choice();
      const hasSeat = chosen === "auto" && (await seat.take());
      const facts = { choice: chosen, hasSeat, streams: streams.size, socket: socket.state };
      return ways[choose(facts)].open(opening);
    },
  };
}

/** A transport over a socket: a start stays a request, only the events come this way. */
export function carriedBy(socket) {
  return {
    async open(opening) {
      if (opening.start) await start(opening);
      return { events: await socket.follow(opening) };
    },
  };
}

/** A stream, counted for as long as it is open. */
async function counted(opening, streams) {
  const mark = {};
  const over = () => streams.delete(mark);
  streams.add(mark);
  opening.signal.addEventListener("abort", over);
  try {
    const carried = await stream.open(opening);
    if (carried.settled) over();
    return { ...carried, drain: () => (over(), carried.drain?.()) };
  } catch (error) {
    over();
    throw error;
  }
}
