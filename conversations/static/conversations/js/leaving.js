// Deleting one's account, once that is certain: by the password, or by a word to type.

import { ask } from "./api.js";
import { make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";
import { buttons, field, openPanel } from "./panel.js";
import { refusalOf } from "./words.js";

/** Much may have to be deleted. */
const PATIENCE_MS = 600_000;

/**
 * Ask, and delete.
 * @param {{name: string, password: boolean}} person `name` is typed by whoever has no password
 * @returns {Promise<boolean>} whether the account is gone
 */
export async function leaveForGood({ name, password }) {
  const panel = openPanel(gettext("Delete your account?"));
  const input = make("input", {
    type: password ? "password" : "text",
    autocomplete: password ? "current-password" : "off",
    required: true,
    maxLength: 1000,
  });
  const label = password
    ? gettext("Your password")
    : interpolate(gettext("Type “%(name)s” to go on."), { name });
  const foot = buttons(gettext("Delete everything"), panel.close);
  foot.lastElementChild.classList.add("danger-button");
  const bar = make("progress", { hidden: true, aria: { label: gettext("Deleting…") } });
  const form = make(
    "form",
    {},
    make("p", {}, gettext("Every conversation, file and shared link will be gone, for good.")),
    field(label, input),
    bar,
    foot,
  );
  let gone = false;
  let deleting;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    deleting = attempt();
  });
  async function attempt() {
    panel.say("");
    const typed = input.value.trim();
    if (!password && typed !== name) {
      panel.say(gettext("That is not the name."));
      return input.select();
    }
    foot.lastElementChild.disabled = true;
    bar.hidden = false;
    try {
      const body = password ? { confirm: name, password: input.value } : { confirm: typed };
      await ask("/api/account", { method: "DELETE", body, signal: AbortSignal.timeout?.(PATIENCE_MS) });
      gone = true;
      panel.close();
    } catch (error) {
      panel.say(error.error?.field === "password" ? gettext("That is not your password.") : refusalOf(error));
      input.select();
    } finally {
      foot.lastElementChild.disabled = false;
      bar.hidden = true;
    }
  }
  panel.body.replaceChildren(form);
  input.focus();
  await panel.closed;
  await deleting; // it goes on where the dialog was closed meanwhile
  return gone;
}
