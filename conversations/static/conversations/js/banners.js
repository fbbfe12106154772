// What the operators announce, above the conversation, until this browser was told to hide it.

import { byId, make } from "./dom.js";
import { gettext } from "./i18n.js";
import { isHidden, withHidden } from "./hidden.js";

const KEY = "holdfast.hidden-announcements";
let announced = [];

/**
 * Show these announcements, and no others.
 * @param {{id: number, text: string, level: string}[]} announcements
 */
export function showBanners(announcements) {
  announced = announcements;
  const place = byId("banners");
  const shown = announcements.filter((one) => !isHidden(read(), one));
  for (const banner of [...place.children]) {
    if (!shown.some((one) => keyOf(one) === banner.dataset.key)) banner.remove();
  }
  // What stays is left alone: a screen reader would say it again.
  for (const one of shown) {
    if (![...place.children].some((banner) => banner.dataset.key === keyOf(one))) {
      place.append(drawn(one));
    }
  }
}

function keyOf({ id, level, text }) {
  return `${id} ${level} ${text}`;
}

function drawn(one) {
  const banner = make("div", { className: `banner banner-${one.level}` }, make("p", {}, one.text));
  banner.dataset.key = keyOf(one);
  const hide = make(
    "button",
    {
      type: "button",
      className: "icon-button banner-hide",
      title: gettext("Hide this announcement"),
      onclick() {
        banner.remove();
        keep(withHidden(read(), one, announced));
        byId("message").focus();
      },
    },
    make("span", { ariaHidden: "true" }, "×"),
  );
  hide.setAttribute("aria-label", gettext("Hide this announcement"));
  banner.append(hide);
  return banner;
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {}; // storage may be forbidden, or hold anything
  }
}

function keep(hidden) {
  try {
    localStorage.setItem(KEY, JSON.stringify(hidden));
  } catch {
    // Then it comes back with the next load.
  }
}
