// Elements, made without HTML in strings.

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

/**
 * Make an element.
 * @param {string} tag
 * @param {object} properties set on the element; `data`, `aria` and `on` are objects
 * @param {...(Node | string)} children
 */
export function make(tag, { data, aria, on, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(aria ?? {})) {
    element.setAttribute(`aria-${name}`, value);
  }
  for (const [name, listener] of Object.entries(on ?? {})) element.addEventListener(name, listener);
  element.append(...children);
  return element;
}

/** A line icon; `path` is what an SVG path draws in a square of 24. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const ICONS = {
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
  done: "M5 12.5l4.5 4.5L19 7.5",
  again: "M19 12a7 7 0 1 1-2-4.9M19 4v4h-4",
  onward: "M5 12h13M13 6l6 6-6 6",
  pen: "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
  bin: "M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12",
  cross: "M6 6l12 12M18 6L6 18",
  dots: "M5 12h.01M12 12h.01M19 12h.01",
  paper: "M7 3h7l4 4v14H7zM14 3v4h4M10 12h5M10 16h5",
};
