// The foot of the sidebar: who is here, and what they may set.

import { tokenField } from "./api.js";
import { byId, make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";
import { menuButton } from "./menu.js";
import { showPreferences, showShortcuts } from "./ondemand.js";

export class Account {
  #place = byId("account");
  #face = make("span", { className: "account-face" });
  #shownName = make("span", { className: "account-name" });
  // Drawn once: what is pressed, or has the focus, or an open menu, is not taken away.
  #button = menuButton({ label: "", className: "account-button", items: () => this.#items() });
  #ways = ways(this.#place.dataset);
  #user = null;
  #last = "";
  #guests = false;

  /**
   * @param {object} page
   * @param {() => Item[]} page.more further entries of the menu, for whoever may write here
   * @param {() => void} page.onTransport called when replies shall come another way
   */
  constructor(page) {
    this.page = page;
    this.#button.replaceChildren(this.#face, this.#shownName);
    this.#place.replaceChildren(this.#ways, this.#button);
    this.#draw();
  }

  /** Show who is here. */
  show({ user, guests }) {
    this.#user = user;
    if (this.#hasAccount) this.#last = user.id;
    this.#guests = guests;
    this.#draw();
  }

  /** Whether the server knows whoever is here, be it as a guest. */
  get isKnown() {
    return this.#user !== null;
  }

  /** Whether somebody else has come, be it after a while; a guest who signs in stays who they are. */
  isAnother(user) {
    return Boolean(this.#last && user && user.id !== this.#last);
  }

  #draw() {
    const name = this.#name;
    this.#button.title = interpolate(gettext("Account: %s"), [name]);
    this.#button.setAttribute("aria-label", this.#button.title);
    this.#face.dataset.initial = [...name][0];
    this.#shownName.textContent = name;
    this.#ways.hidden = this.#hasAccount;
  }

  get #name() {
    if (this.#hasAccount) return this.#user.name;
    return this.#guests ? gettext("Guest") : gettext("Not signed in");
  }

  get #hasAccount() {
    return Boolean(this.#user) && !this.#user.guest;
  }

  #items() {
    const { signOut } = this.#place.dataset;
    const items = [
      { label: gettext("Settings"), run: () => this.#settings() },
      ...(this.#user ? this.page.more() : []),
      { label: gettext("Keyboard shortcuts"), run: showShortcuts },
    ];
    if (this.#hasAccount && signOut) {
      items.push({ label: gettext("Sign out"), run: () => leave(signOut) });
    }
    return items;
  }

  #settings() {
    const { onTransport } = this.page;
    showPreferences({ user: this.#user, name: this.#name, hasAccount: this.#hasAccount, onTransport });
  }
}

// Whoever has no account is led to one in plain sight.
function ways({ signIn, signUp }) {
  const links = [wayTo(signIn, gettext("Sign in"))];
  if (signUp) links.push(wayTo(signUp, gettext("Create an account")));
  return make("p", { className: "account-ways" }, ...links);
}

// Leads back to the conversation that is open when it is taken.
function wayTo(path, label) {
  const link = make("a", { href: path }, label);
  const aim = () => (link.href = `${path}?next=${encodeURIComponent(location.pathname)}`);
  link.addEventListener("click", aim);
  link.addEventListener("auxclick", aim);
  return link;
}

function leave(path) {
  forgetBrowser();
  post(path, {});
}

/** Forget what is kept for this person here, drafts among it: it is not for the next one. */
export function forgetBrowser() {
  dispatchEvent(new Event("holdfast:leaving")); // else a last draft would be kept on the way out
  try {
    for (const storage of [localStorage, sessionStorage]) {
      const ours = Object.keys(storage).filter((key) => key.startsWith("holdfast"));
      for (const key of ours) storage.removeItem(key);
    }
  } catch {
    // Storage that is forbidden has kept nothing.
  }
}

/** Send a form, as a page without scripts does. */
export function post(path, fields) {
  const form = make("form", { method: "post", action: path, hidden: true });
  for (const [name, value] of [tokenField(), ...Object.entries(fields)]) {
    form.append(make("input", { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}
