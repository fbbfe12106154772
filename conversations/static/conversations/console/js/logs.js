// The live log: what comes is shown, as long as nobody scrolled up or pressed Pause.

import { ask } from "../../js/api.js";
import { byId, make } from "../../js/dom.js";
import { LANGUAGE, gettext, interpolate, ngettext } from "../../js/i18n.js";
import { refusalOf } from "../../js/words.js";
import { follow } from "./feed.js";

const MOST_LINES = 1000;
const NEAR = 40;
const LATER_MS = 250;

const list = byId("lines");
const clock = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: "medium" });
const number = new Intl.NumberFormat(LANGUAGE);
let dropped = 0;
let held = [];
let paused = false;
let stop = () => {};
let timer = 0;

function open() {
  stop();
  list.replaceChildren();
  [dropped, held] = [0, []];
  sayDropped();
  const wanted = new URLSearchParams({ level: byId("level").value, text: byId("text").value });
  stop = follow(`/console/logs/stream?${wanted}`, { lines: take });
}

function take({ lines, dropped: lost }) {
  dropped += lost;
  sayDropped();
  if (paused) held = [...held, ...lines].slice(-MOST_LINES);
  else show(lines);
}

function show(lines) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  list.append(...lines.map(drawn));
  for (let more = list.childElementCount - MOST_LINES; more > 0; more -= 1) {
    list.firstElementChild.remove();
  }
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawn(line) {
  const at = new Date(line.at * 1000);
  const fields = Object.entries(line.fields).map(([name, value]) =>
    make("span", { className: "log-field" }, make("b", {}, name), `=${value}`),
  );
  return make(
    "li",
    { className: "log-line", data: { level: line.level } },
    make("time", { dateTime: at.toISOString() }, clock.format(at)),
    " ",
    make("span", { className: "log-level" }, line.level),
    " ",
    make("span", { className: "log-logger", title: line.thread ?? "" }, line.logger),
    " ",
    make("span", { className: "log-message" }, line.message),
    ...fields.flatMap((field) => [" ", field]),
  );
}

function sayDropped() {
  const place = byId("dropped");
  place.hidden = !dropped;
  const text = ngettext("%s line was dropped: too many came.", "%s lines were dropped: too many came.", dropped);
  place.textContent = interpolate(text, [number.format(dropped)]);
}

byId("level").addEventListener("change", open);
byId("text").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(open, LATER_MS);
});
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("pause").addEventListener("click", ({ currentTarget: button }) => {
  paused = !paused;
  button.setAttribute("aria-pressed", paused);
  button.textContent = paused ? gettext("Go on") : gettext("Pause");
  if (!paused) show(held.splice(0));
});
byId("clear").addEventListener("click", () => list.replaceChildren());
byId("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [message, level] = [byId("message"), byId("write-level").value];
  try {
    const { logged } = await ask("/console/logs", {
      method: "POST",
      body: { message: message.value, level },
    });
    byId("said").textContent = logged ? "" : gettext("Lines of this level are not logged here.");
    message.value = "";
  } catch (error) {
    byId("said").textContent = refusalOf(error);
  }
});
open();
