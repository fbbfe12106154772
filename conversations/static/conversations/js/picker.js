// The choice of a model.

import { byId, make } from "./dom.js";

export class ModelPicker {
  #select = byId("model");
  #names = new Map();
  #models = [];
  #seeing = new Set();
  #default = "";

  /** @param {{onChange: (model: string) => void}} page */
  constructor({ onChange }) {
    this.#select.addEventListener("change", () => onChange(this.value));
  }

  /** Offer these models. */
  offer(models) {
    this.#models = models;
    this.#names = new Map(models.map(({ id, name }) => [id, name]));
    this.#seeing = new Set(models.filter((one) => one.capabilities?.sees).map(({ id }) => id));
    this.#default = (models.find((model) => model.default) ?? models[0])?.id ?? "";
    const options = models.map(({ id, name }) => make("option", { value: id }, name));
    this.#select.replaceChildren(...options);
    this.#select.value = this.#default;
    this.#select.disabled = models.length < 2;
  }

  /** What there is to choose from. */
  get models() {
    return this.#models;
  }

  /** The chosen model; undefined while none is offered: then the server chooses. */
  get value() {
    return this.#select.value || undefined;
  }

  /** Whether the chosen model sees images; unknown ones may. */
  get sees() {
    return !this.#names.has(this.value) || this.#seeing.has(this.value);
  }

  /** Choose what a conversation uses; the default where it is not offered any more. */
  choose(model) {
    this.#select.value = this.#names.has(model) ? model : this.#default;
  }

  nameOf(model) {
    return this.#names.get(model) ?? model ?? "";
  }
}
