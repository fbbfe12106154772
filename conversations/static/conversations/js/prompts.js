// Prompts: texts that a person uses again and again, and the dialog that manages them.

import { again } from "./again.js";
import { ask } from "./api.js";
import { askPerson } from "./dialog.js";
import { make } from "./dom.js";
import { gettext } from "./i18n.js";
import { buttons, field, openPanel } from "./panel.js";
import { refusalOf } from "./words.js";

const NAME_CHARACTERS = 100;
const CONTENT_CHARACTERS = 20_000;

/**
 * Read a person's prompts, by name.
 * @returns {Promise<{id: string, name: string, content: string}[]>}
 */
export async function readPrompts() {
  try {
    return (await again(() => ask("/api/prompts"), { attempts: 2 })).prompts;
  } catch (error) {
    if (error.status === 401) return []; // nobody yet, so without any
    throw error;
  }
}

/** Let a person write, change and delete prompts; resolves once the dialog is closed. */
export async function openPrompts() {
  const panel = openPanel(gettext("Prompts"), { className: "prompts" });
  const show = (...nodes) => {
    panel.say("");
    panel.body.replaceChildren(...nodes);
  };

  async function showList() {
    try {
      const prompts = await readPrompts();
      show(...listOf(prompts, showForm), footOf(() => showForm(null), panel.close));
    } catch (error) {
      show(footOf(null, panel.close));
      panel.say(refusalOf(error));
    }
    panel.body.querySelector("button")?.focus();
  }

  function showForm(prompt) {
    const form = promptForm(prompt, { onCancel: showList, onDelete: () => attempt(remove) });
    const attempt = async (task) => {
      panel.say("");
      try {
        if (await task(prompt, form)) await showList();
      } catch (error) {
        panel.say(refusalOf(error));
      }
    };
    form.element.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(save);
    });
    show(form.element);
    form.focus();
  }

  await showList();
  await panel.closed;
}

async function save(prompt, { values: body }) {
  if (prompt) await ask(`/api/prompts/${prompt.id}`, { method: "PATCH", body });
  else await ask("/api/prompts", { method: "POST", body });
  return true;
}

async function remove(prompt) {
  const answer = await askPerson({
    title: gettext("Delete this prompt?"),
    text: prompt.name,
    confirm: gettext("Delete"),
    danger: true,
  });
  if (answer === null) return false;
  await again(() => ask(`/api/prompts/${prompt.id}`, { method: "DELETE" })).catch((error) => {
    if (error.status !== 404) throw error;
  });
  return true;
}

function listOf(prompts, onOpen) {
  const hint = gettext("Type / in an empty message field to insert one.");
  if (!prompts.length) {
    const text = gettext("No prompts yet. Keep texts here that you need again and again.");
    return [make("p", {}, text), make("p", { className: "field-hint" }, hint)];
  }
  const rows = prompts.map((prompt) =>
    make(
      "li",
      {},
      make(
        "button",
        {
          type: "button",
          className: "prompt-row",
          onclick: () => onOpen(prompt),
        },
        make("span", { className: "visually-hidden" }, gettext("Edit")),
        make("strong", { dir: "auto" }, prompt.name),
        make("span", { dir: "auto" }, prompt.content.slice(0, 200)),
      ),
    ),
  );
  return [make("p", { className: "field-hint" }, hint), make("ul", { className: "prompt-rows" }, ...rows)];
}

function footOf(onNew, onClose) {
  const close = make(
    "button",
    { type: "button", className: "button quiet-button", onclick: onClose },
    gettext("Close"),
  );
  const foot = make("div", { className: "dialog-buttons" }, close);
  if (onNew) {
    const add = { type: "button", className: "button", onclick: onNew };
    foot.append(make("button", add, gettext("New prompt")));
  }
  return foot;
}

function promptForm(prompt, { onCancel, onDelete }) {
  const name = make("input", {
    type: "text",
    maxLength: NAME_CHARACTERS,
    required: true,
    autocomplete: "off",
    value: prompt?.name ?? "",
  });
  const content = make("textarea", {
    rows: 8,
    maxLength: CONTENT_CHARACTERS,
    required: true,
    value: prompt?.content ?? "",
  });
  const foot = buttons(gettext("Save"), onCancel);
  if (prompt) {
    const remove = { type: "button", className: "button quiet-button danger-text", onclick: onDelete };
    foot.prepend(make("button", remove, gettext("Delete")));
  }
  return {
    element: make("form", {}, field(gettext("Name"), name), field(gettext("Text"), content), foot),
    focus: () => name.focus(),
    get values() {
      return { name: name.value, content: content.value };
    },
  };
}
