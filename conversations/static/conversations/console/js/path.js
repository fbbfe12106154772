// The proxy self-check: measured here, in the browser, where it counts.

import { byId } from "../../js/dom.js";
import { gettext, interpolate } from "../../js/i18n.js";
import { address } from "../../js/places.js";
import { SseParser } from "../../js/sse.js";
import { verdictOf } from "./verdict.js";

const PATIENCE_MS = 20_000;
const SOCKET_MS = 10_000;

const STREAMING = `location / {
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_cache off;
    gzip off;
    proxy_read_timeout 3600s;
}`;
const UPGRADING = `map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      close;
}
location /ws/ {
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_read_timeout 3600s;
}`;

async function measure() {
  byId("again").disabled = true;
  for (const id of ["stream", "socket"]) tell(id, "waiting", gettext("Measuring…"), "");
  await Promise.all([measureStream(), measureSocket()]);
  byId("again").disabled = false;
  const state = byId("state");
  state.dataset.state = "open";
  state.textContent = gettext("Measured");
}

async function measureStream() {
  const expected = Number(byId("stream").dataset.probes);
  const probes = [];
  let encoding = null;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(address("/console/path/stream"), { signal, cache: "no-store" });
    encoding = response.headers.get("Content-Encoding");
    const parser = new SseParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const arrived = performance.now();
      for (const { event, data } of parser.push(piece.value)) {
        if (event === "probe") probes.push({ at: JSON.parse(data).at_ms, arrived });
      }
    }
  } catch {
    // What has come so far says enough.
  }
  const { verdict, lateMs } = verdictOf(probes, { expected, encoding });
  const words = {
    fine: gettext("Streams get through as they are."),
    buffered: gettext("Something holds the stream back until its end."),
    bursts: gettext("Something gathers the stream and lets it go in bursts."),
    broken: gettext("The stream breaks off, or does not come at all."),
    compressed: gettext("Streams get through, but something compresses them."),
  };
  const detail = gettext("%(got)s of %(sent)s events came; the slowest was %(late)s ms later than the quickest.");
  tell(
    "stream",
    verdict === "fine" ? "fine" : verdict === "compressed" ? "doubtful" : "wrong",
    words[verdict],
    interpolate(detail, { got: probes.length, sent: expected, late: lateMs }),
    verdict === "fine" ? "" : STREAMING,
  );
}

async function measureSocket() {
  const url = new URL(address("/ws/chat/"), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const begun = performance.now();
  const answered = await new Promise((resolve) => {
    const socket = new WebSocket(url);
    const timer = setTimeout(() => end(false), SOCKET_MS);
    function end(result) {
      clearTimeout(timer);
      resolve(result);
      socket.close();
    }
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "ping", ref: 1 })));
    socket.addEventListener("message", ({ data }) => JSON.parse(data).type === "pong" && end(true));
    socket.addEventListener("close", () => end(false));
  });
  const took = Math.round(performance.now() - begun);
  tell(
    "socket",
    answered ? "fine" : "wrong",
    answered ? gettext("WebSockets get through.") : gettext("WebSockets do not get through."),
    answered
      ? interpolate(gettext("Opened and answered within %s ms."), [took])
      : gettext("The chat then uses Server-Sent Events, which is fine; changes elsewhere show later."),
    answered ? "" : UPGRADING,
  );
}

function tell(id, verdict, word, detail, change = "") {
  const place = byId(id);
  place.dataset.verdict = verdict;
  place.querySelector(".verdict-word").textContent = word;
  place.querySelector(".verdict-detail").textContent = detail;
  const pre = place.querySelector(".verdict-change");
  pre.hidden = !change;
  pre.textContent = change;
}

byId("again").addEventListener("click", measure);
measure();
