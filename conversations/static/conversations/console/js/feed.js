// One stream of the console; the browser's EventSource brings it back by itself.

import { byId } from "../../js/dom.js";
import { gettext } from "../../js/i18n.js";
import { address } from "../../js/places.js";

/**
 * Follow a stream, and say on the page how that goes.
 * @param {string} path
 * @param {Record<string, (data: any) => void>} handlers by the name of the event
 * @returns {() => void} what ends it
 */
export function follow(path, handlers) {
  const source = new EventSource(address(path));
  source.addEventListener("open", () => say("open"));
  source.addEventListener("error", (event) => {
    if (!event.data) say(source.readyState === EventSource.CLOSED ? "closed" : "waiting");
  });
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  return () => source.close();
}

function say(state) {
  const words = {
    open: gettext("Live"),
    waiting: gettext("Reconnecting…"),
    closed: gettext("Not available: sign in again, or try later."),
  };
  const place = byId("state");
  if (place.dataset.state === state) return;
  place.dataset.state = state;
  place.textContent = words[state];
}
