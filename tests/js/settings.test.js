import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";

import { BOUNDS, settingsOf } from "../../conversations/static/conversations/js/settings.js";

const source = (name) => readFileSync(new URL(`../../conversations/${name}`, import.meta.url), "utf8");
const api = source("requests.py") + source("api.py");

test("what is left empty is left to the model", () => {
  assert.deepEqual(settingsOf("", ""), {});
  assert.deepEqual(settingsOf("0", "100"), { temperature: 0, max_output_tokens: 100 });
});

test("the page and the server take the same", () => {
  const { temperature, maxOutputTokens, systemPromptCharacters } = BOUNDS;
  const number = (text) => Number(text.replaceAll("_", ""));
  const [, lowest, highest] = api.match(/temperature: .*ge=([\d_]+), le=([\d_]+)/);
  assert.deepEqual([number(lowest), number(highest)], [temperature.min, temperature.max]);
  const [, least, most] = api.match(/max_output_tokens: .*ge=([\d_]+), le=([\d_]+)/);
  assert.deepEqual([number(least), number(most)], [maxOutputTokens.min, maxOutputTokens.max]);
  const [, characters] = api.match(/system_prompt: .*max_length=([\d_]+)/);
  assert.equal(number(characters), systemPromptCharacters);
});
