// The system monitor: plots that move, and the largest processes.

import { byId, make } from "../../js/dom.js";
import { LANGUAGE, gettext } from "../../js/i18n.js";
import { follow } from "./feed.js";
import { Plot } from "./plot.js";
import { bytes } from "./plotting.js";

const KEPT_SECONDS = 600;

const one = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1 });
const percent = (value) => `${one.format(value)} %`;
const plain = (value) => one.format(value);
const ms = (value) => `${one.format(value)} ms`;
const speed = (value) => `${bytes(value)}/s`;

const plots = [
  { title: gettext("CPU"), series: [["cpu", gettext("machine")], ["own_cpu", gettext("this process")]], format: percent },
  { title: gettext("Memory"), series: [["memory", gettext("in use")], ["swap", gettext("swap")], ["disk", gettext("disk in use")]], format: percent, most: 100 },
  { title: gettext("Memory of this process"), series: [["own_memory", gettext("resident")]], format: bytes },
  { title: gettext("Load"), series: [["load_1", gettext("1 min")], ["load_5", gettext("5 min")], ["load_15", gettext("15 min")]], format: plain },
  { title: gettext("Network"), series: [["net_in", gettext("in")], ["net_out", gettext("out")]], format: speed },
  { title: gettext("Disk"), series: [["disk_read", gettext("read")], ["disk_write", gettext("written")]], format: speed },
  { title: gettext("Event loop"), series: [["lag_ms", gettext("worst lateness")]], format: ms },
  { title: gettext("Journal"), series: [["commits", gettext("commits a second")], ["commit_ms", gettext("ms each")]], format: plain },
  { title: gettext("Work"), series: [["runs", gettext("live runs")], ["readers", gettext("readers")], ["pool_taken", gettext("connections in use")]], format: plain },
  { title: gettext("Threads and tasks"), series: [["threads", gettext("threads")], ["tasks", gettext("tasks")], ["own_files", gettext("open files")]], format: plain },
].map((about) => new Plot(about));

let samples = [];
byId("plots").append(...plots.map((plot) => plot.element));

function draw() {
  for (const plot of plots) plot.draw(samples);
  const top = samples.at(-1)?.processes_top ?? [];
  byId("processes").replaceChildren(...top.map(row));
}

function row({ pid, name, cpu, memory }) {
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    ...[pid, percent(cpu), bytes(memory)].map((text) => make("td", { className: "figure" }, String(text))),
  );
}

follow("/console/system/stream", {
  history(found) {
    samples = found;
    draw();
  },
  sample(sample) {
    samples = [...samples.filter((other) => other.at > sample.at - KEPT_SECONDS), sample];
    draw();
  },
});
