// Who is connected, by kind, and how much of each limit is in use.

import { byId, make } from "../../js/dom.js";
import { LANGUAGE, gettext, interpolate } from "../../js/i18n.js";
import { follow } from "./feed.js";

const number = new Intl.NumberFormat(LANGUAGE);
const NAMES = {
  events: gettext("Server-Sent Events"),
  sockets: "WebSocket",
  text: gettext("Plain text"),
  lines: gettext("Lines"),
  files: gettext("Files"),
  tables: gettext("Tables"),
};

function show({ streams, limits }) {
  const kinds = [...new Set([...Object.keys(NAMES), ...Object.keys(streams)])];
  byId("kinds").replaceChildren(
    ...kinds.map((kind) =>
      make(
        "div",
        { data: { kind } },
        make("dt", {}, NAMES[kind] ?? kind),
        make("dd", {}, number.format(streams[kind] ?? 0)),
      ),
    ),
  );
  byId("limits").replaceChildren(...limits.map(row));
}

function row({ name, taken, most, refused }) {
  const share = make("meter", { min: 0, max: most || 1, value: most ? taken : 0, high: (most || 1) * 0.8 });
  share.setAttribute("aria-label", name);
  const label = refused ? interpolate(gettext("%s (refused: %s)"), [name, number.format(refused)]) : name;
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, label),
    make("td", { className: "figure" }, number.format(taken)),
    make("td", { className: "figure" }, most ? number.format(most) : gettext("no limit")),
    make("td", {}, most ? share : ""),
  );
}

follow("/console/system/stream", { history: (all) => all.length && show(all.at(-1)), sample: show });
