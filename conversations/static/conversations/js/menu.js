// A button that opens a short list of things to do.

import { icon, make } from "./dom.js";

/**
 * Make the button of a menu.
 * @param {object} options
 * @param {string} options.label what the button is called
 * @param {string} [options.path] the icon, see dom.js
 * @param {string} [options.className]
 * @param {() => Item[]} options.items asked for each time the menu opens
 * @typedef {{label: string, run: () => void, danger?: boolean, checked?: boolean}} Item
 */
export function menuButton({ label, path, className = "icon-button", items }) {
  let wasOpen = false;
  const button = make(
    "button",
    {
      type: "button",
      className,
      title: label,
      aria: { label, haspopup: "menu", expanded: "false" },
      // A press beside a menu closes it, also one on its button: the click is not to open it again.
      onpointerdown() {
        wasOpen = button.getAttribute("aria-expanded") === "true";
      },
      onclick: ({ detail }) => (detail && wasOpen) || open(button, items()),
    },
    path ? icon(path) : label,
  );
  return button;
}

function open(button, items) {
  const label = button.getAttribute("aria-label");
  const menu = make("div", { className: "menu", role: "menu", popover: "auto", aria: { label } });
  menu.append(...items.map((item) => entry(item, menu)));
  menu.addEventListener("keydown", (event) => move(event, menu));
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    button.setAttribute("aria-expanded", "false");
    const inside = menu.contains(document.activeElement) || document.activeElement === document.body;
    menu.remove();
    if (inside && button.isConnected) button.focus();
  });
  // In its button's landmark, and in a dialog that would cover whatever is outside.
  (button.closest("dialog, aside, main") ?? document.body).append(menu);
  menu.showPopover();
  button.setAttribute("aria-expanded", "true");
  place(menu, button.getBoundingClientRect());
  menu.firstElementChild?.focus();
}

function entry({ label, run, danger = false, checked }, menu) {
  const choice = checked !== undefined;
  const one = make(
    "button",
    {
      type: "button",
      role: choice ? "menuitemradio" : "menuitem",
      className: danger ? "menu-entry danger-entry" : "menu-entry",
      tabIndex: -1,
      onclick() {
        menu.hidePopover();
        run();
      },
    },
    label,
  );
  if (choice) one.setAttribute("aria-checked", String(checked));
  return one;
}

function move(event, menu) {
  const entries = [...menu.children];
  const at = entries.indexOf(document.activeElement);
  const to = {
    ArrowDown: (at + 1) % entries.length,
    ArrowUp: (at - 1 + entries.length) % entries.length,
    Home: 0,
    End: entries.length - 1,
  }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  entries[to].focus();
}

// Below the button, or above it where there is no room; never out of the window.
function place(menu, anchor) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = anchor.bottom + 4;
  const top = below + height > innerHeight ? Math.max(anchor.top - height - 4, 8) : below;
  const left = Math.min(anchor.left, innerWidth - width - 8);
  menu.style.setProperty("--menu-top", `${top}px`);
  menu.style.setProperty("--menu-left", `${Math.max(left, 8)}px`);
}
