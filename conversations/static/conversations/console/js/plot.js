// One moving plot, drawn as SVG.

import { make } from "../../js/dom.js";
import { pathOf, topOf } from "./plotting.js";

const SVG = "http://www.w3.org/2000/svg";
const BOX = { width: 300, height: 80, span: 600 };

export class Plot {
  /**
   * @param {object} about
   * @param {string} about.title
   * @param {[string, string][]} about.series keys of figures, and what they are called
   * @param {(value: number) => string} about.format
   * @param {number} [about.most] the top; without it, what fits
   */
  constructor({ title, series, format, most }) {
    this.about = { series, format, most };
    this.svg = drawing("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.paths = series.map((_, index) => drawing("path", { class: `plot-line plot-line-${index + 1}` }));
    this.svg.append(...this.paths);
    this.top = make("span", { className: "plot-top" });
    this.values = series.map(() => make("dd", {}));
    const legend = series.flatMap(([, name], index) => [
      make("dt", { className: `plot-name plot-name-${index + 1}` }, name),
      this.values[index],
    ]);
    this.element = make(
      "section",
      { className: "plot" },
      make("h2", {}, title),
      make("div", { className: "plot-box" }, this.svg, this.top),
      make("dl", { className: "plot-legend" }, ...legend),
    );
  }

  /** Draw what was sampled. */
  draw(samples) {
    const { series, format, most } = this.about;
    const keys = series.map(([key]) => key);
    const top = most ?? topOf(samples, keys);
    this.top.textContent = format(top);
    const last = samples.at(-1) ?? {};
    keys.forEach((key, index) => {
      this.paths[index].setAttribute("d", pathOf(samples, key, { ...BOX, most: top }));
      this.values[index].textContent = last[key] === undefined ? "–" : format(last[key]);
    });
  }
}

function drawing(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
