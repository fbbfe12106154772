// What keeps the page alive: its socket, its seat, and what it does when the network, the server or
// the machine comes and goes.

import { ask, gatherStreams } from "./api.js";
import { gettext } from "./i18n.js";
import { address } from "./places.js";
import { Seat } from "./seat.js";
import { Socket } from "./socket.js";
import { Sync } from "./sync.js";
import { anyTransport } from "./transport.js";

const LOOK_MS = 20_000;

/**
 * @param {object} page
 * @param {() => Iterable<{wake: () => void, sleep: () => void}>} page.conversations all that are
 *   kept, shown or not
 * @param {() => object | null} page.shown
 * @param {() => Promise<void>} page.readShown
 * @param {(changed: string[]) => Promise<number | undefined>} page.readList
 * @param {(id: string) => void} page.onDeleted
 * @param {() => Promise<object | null>} page.readPerson asks who is here
 * @param {() => void} page.onReturn called when the socket is open once more
 * @param {() => void} page.onSignedOut
 * @param {() => void} page.onSignedIn called when somebody is here again
 * @param {() => void} page.onNetwork called when the way to the server opens or closes
 */
export function goLive(page) {
  const sync = new Sync(page);
  const seat = new Seat();
  const revision = () => ask("/api/revision");
  const socket = new Socket({
    url: location.origin.replace(/^http/, "ws") + address("/ws/chat/"),
    onSync: (event) => sync.take(event),
    onRevision: (now) => sync.at(now),
    probe: revision,
    isKnown: async () => (await page.readPerson()) !== null,
    isWatched: () => !document.hidden,
    onState(state) {
      if (state === "open" && wasOpen) page.onReturn();
      wasOpen ||= state === "open";
      if (state === "refused") page.onSignedOut();
      if (state === "open" && wasRefused) page.onSignedIn();
      if (state === "refused" || state === "open") wasRefused = state === "refused";
      page.onNetwork();
    },
  });
  let isPersonKnown = false;
  let wasOpen = false;
  let wasRefused = false;

  // Where sockets are blocked, somebody has to ask.
  function look() {
    if (socket.state !== "blocked" || document.hidden) return;
    revision().then((now) => sync.at(now.revision), () => {});
  }
  setInterval(look, LOOK_MS);

  function wake() {
    if (isPersonKnown) socket.wake();
    look();
    for (const one of page.conversations()) one.wake();
  }

  function gather() {
    for (const type of ["input", "click"]) removeEventListener(type, gather);
    gatherStreams().catch(() => {}); // then the page reads by itself
  }

  function sleep() {
    for (const one of page.conversations()) one.sleep();
    socket.sleep();
  }

  addEventListener("online", () => {
    wake();
    page.onNetwork();
  });
  addEventListener("offline", () => {
    sleep();
    page.onNetwork();
  });
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  // A page that holds a connection or a lock is not kept for the way back to it.
  addEventListener("pagehide", () => {
    for (const one of page.conversations()) one.sleep();
    socket.close();
    seat.leave();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (isPersonKnown) socket.open();
    wake();
  });
  seat.take();
  // With the first thing that somebody does, long before there is much to read.
  for (const type of ["input", "click"]) addEventListener(type, gather);

  return {
    transport: anyTransport({ socket, seat }),
    /** Read the list again, once for all who ask at the same time. */
    readList: () => sync.readList(),
    /** What there is to say about the way to the server; empty where it is open. */
    get note() {
      if (!navigator.onLine) return gettext("You are offline.");
      return wasOpen && socket.state === "connecting" ? gettext("Reconnecting…") : "";
    },
    /** Let replies come the other way that was chosen. */
    changeTransport() {
      for (const one of page.conversations()) one.sleep();
    },
    /** There is a person whose changes can be heard of. */
    meet() {
      isPersonKnown = true;
      socket.open();
    },
  };
}
