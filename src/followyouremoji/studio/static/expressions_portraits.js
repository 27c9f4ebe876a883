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

  async open(chosen) {
    const { portraits } = await getJson("examples");
    for (const one of portraits) this.#add(one);
    const radio = [...this.element.querySelectorAll("[type=radio]")].find((one) => one.value === chosen);
    (radio ?? this.element.querySelector("[type=radio]")).checked = true;
    return (radio ?? this.element.querySelector("[type=radio]")).value;
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
