// How replies of one conversation are made: model, system prompt, temperature, length.

import { again } from "./again.js";
import { ask } from "./api.js";
import { make } from "./dom.js";
import { gettext, interpolate } from "./i18n.js";
import { buttons, field, openPanel } from "./panel.js";
import { refusalOf } from "./words.js";

/** What the server takes, see docs/protocol.md. */
export const BOUNDS = {
  systemPromptCharacters: 50_000,
  temperature: { min: 0, max: 2 },
  maxOutputTokens: { min: 1, max: 1_000_000 },
};

/**
 * @typedef {object} Values as the API has them
 * @property {string | null} [model]
 * @property {string} [system_prompt]
 * @property {{temperature?: number, max_output_tokens?: number}} [settings]
 */

/**
 * Let a person change the settings.
 * @param {string | null} id of a conversation; null for one that does not exist yet
 * @param {Values} beginning what one that does not exist yet has so far
 * @returns {Promise<Values | null>} what holds now; null where nothing was changed
 */
export async function openSettings(id, beginning = {}) {
  const panel = openPanel(gettext("Settings of this conversation"), { className: "settings" });
  let saved = null;
  try {
    const [{ models }, values] = await Promise.all([
      again(() => ask("/api/models"), { attempts: 3 }),
      id ? again(() => ask(`/api/conversations/${id}`), { attempts: 3 }) : beginning,
    ]);
    const form = settingsForm(models, values, panel.close);
    form.element.addEventListener("submit", async (event) => {
      event.preventDefault();
      panel.say("");
      try {
        saved = id ? await keep(id, form.values) : form.values;
        panel.close();
      } catch (error) {
        panel.say(refusalOf(error));
      }
    });
    panel.body.replaceChildren(form.element);
    form.focus();
  } catch (error) {
    panel.say(refusalOf(error));
    panel.body.replaceChildren(make("form", { method: "dialog" }, buttons(gettext("Close"), panel.close)));
  }
  await panel.closed;
  return saved;
}

function keep(id, body) {
  return again(() => ask(`/api/conversations/${id}`, { method: "PATCH", body }), { attempts: 3 });
}

function settingsForm(models, values, onCancel) {
  const model = make("select", {}, ...modelOptions(models, values.model));
  const prompt = make("textarea", {
    rows: 5,
    maxLength: BOUNDS.systemPromptCharacters,
    value: values.system_prompt ?? "",
    placeholder: gettext("None"),
  });
  const temperature = number(BOUNDS.temperature, "any", values.settings?.temperature);
  const length = number(BOUNDS.maxOutputTokens, "1", values.settings?.max_output_tokens);
  const element = make(
    "form",
    {},
    field(gettext("Model"), model),
    field(
      gettext("System prompt"),
      prompt,
      gettext("Said to the model before the first message: who it is, how it answers."),
    ),
    field(
      gettext("Temperature"),
      temperature,
      interpolate(gettext("From %s, always the same words, to %s, the most surprising."), [
        BOUNDS.temperature.min,
        BOUNDS.temperature.max,
      ]),
    ),
    field(gettext("Maximum length"), length, gettext("In tokens; about four letters each.")),
    buttons(gettext("Save"), onCancel),
  );
  return {
    element,
    focus: () => prompt.focus(),
    get values() {
      return {
        model: model.value,
        system_prompt: prompt.value,
        settings: settingsOf(temperature.value, length.value),
      };
    },
  };
}

/** Numbers as they are sent: what is left empty is left out. */
export function settingsOf(temperature, maxOutputTokens) {
  const settings = {};
  if (temperature !== "") settings.temperature = Number(temperature);
  if (maxOutputTokens !== "") settings.max_output_tokens = Number(maxOutputTokens);
  return settings;
}

function modelOptions(models, chosen) {
  const standard = models.find((one) => one.default) ?? models[0];
  const name = interpolate(gettext("Default (%s)"), [standard?.name ?? ""]);
  const options = [["", name], ...models.map((one) => [one.id, one.name])];
  return options.map(([value, text]) =>
    make("option", { value, selected: value === (chosen ?? "") }, text),
  );
}

function number({ min, max }, step, value) {
  const input = make("input", {
    type: "number",
    inputMode: "decimal",
    value: value ?? "",
    placeholder: gettext("Default of the model"),
  });
  // `step` first: a value that does not fit it would be cleared.
  Object.assign(input, { step, min: String(min), max: String(max) });
  return input;
}
