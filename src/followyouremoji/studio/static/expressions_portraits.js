// The portraits to choose from: the visitor's own and the examples.
import { getJson, sendFile } from "./api.js";

export class Portraits {
  // `onChoice` is called with a portrait's id; the row is filled by `open`.
  constructor(element, onChoice, onProblem) {
    Object.assign(this, { element, onChoice, onProblem });
    this.file = element.querySelector("[type=file]");
    this.file.addEventListener("change", () => this.#upload());
    element.addEventListener("change", ({ target }) => target.type === "radio" && onChoice(target.value));
  }

  // Fill the row; returns the chosen portrait, or the first where that is gone.
  async open(chosen) {
    const [{ portraits }, own] = await Promise.all([getJson("examples"), getJson("materials?kind=portrait")]);
    for (const one of [...portraits.toReversed(), ...own.toReversed()]) this.#add(one);
    const ids = this.#radios().map((radio) => radio.value);
    return this.choose(ids.includes(chosen) ? chosen : portraits[0].id);
  }

  choose(portrait) {
    this.#radios().find((radio) => radio.value === portrait).checked = true;
    return portrait;
  }

  #radios() {
    return [...this.element.querySelectorAll("[type=radio]")];
  }

  #add(portrait) {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "fye-pose-portrait", value: portrait.id });
    const picture = Object.assign(document.createElement("img"), { alt: "", loading: "lazy", src: `/studio/materials/${encodeURIComponent(portrait.id)}/view` });
    const name = document.createElement("span");
    name.textContent = portrait.name;
    label.append(radio, picture, name);
    this.file.closest("label").after(label);
    return radio;
  }

  async #upload() {
    const [file] = this.file.files;
    if (!file) return;
    this.file.value = "";
    this.onProblem("");
    try {
      const portrait = await sendFile("portrait", file);
      this.#add(portrait).checked = true;
      this.onChoice(portrait.id);
    } catch (error) {
      this.onProblem(`${file.name}: ${error.message}`);
    }
  }
}
