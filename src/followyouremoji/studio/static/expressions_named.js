// Buttons for named expressions, and how strong those of the pose are.
import { make, sentence } from "./dom.js";
import { pose } from "./expressions_pose.js";

const KEPT = ["head", "gaze"]; // groups of sliders that an expression leaves as they are

export class Named {
  constructor(element, { expressions, strongest }) {
    this.strongest = strongest;
    this.strengths = element.querySelector(".fye-strengths");
    this.buttons = expressions.map((name) => this.#button(name));
    element.querySelector(".fye-named").append(...this.buttons);
    pose.addEventListener("change", () => this.#show());
  }

  #button(name) {
    const choose = () => {
      const kept = Object.entries(pose.amounts).filter(([one]) => KEPT.includes(pose.sliders.get(one)?.group));
      pose.replace(Object.fromEntries(pose.of(name) ? kept : [...kept, [name, 1]]));
    };
    const button = make("button", { type: "button", className: "fye-button", "aria-pressed": "false", onclick: choose }, inWords(name));
    button.dataset.name = name;
    return button;
  }

  // Expressions that are no sliders have a range here.
  #show() {
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(pose.of(button.dataset.name) !== 0));
    const names = Object.keys(pose.amounts).filter((name) => !pose.sliders.has(name));
    const there = new Map([...this.strengths.children].map((row) => [row.dataset.name, row]));
    for (const [name, row] of there) if (!names.includes(name)) row.remove();
    for (const name of names) {
      if (!there.has(name)) this.strengths.append(this.#strength(name));
      const row = [...this.strengths.children].find((one) => one.dataset.name === name);
      row.querySelector("input").value = pose.of(name);
      row.querySelector("output").textContent = `${Math.round(100 * pose.of(name))} %`;
    }
  }

  #strength(name) {
    const range = make("input", { type: "range", min: 0, max: this.strongest, step: 0.05 });
    range.addEventListener("input", () => pose.change({ [name]: Math.max(Number(range.value), 0.001) })); // the row stays
    range.addEventListener("change", () => Number(range.value) === 0 && pose.change({ [name]: 0 }));
    const row = make("label", {}, make("span", {}, `${inWords(name)}, how strong`), range, make("output"));
    row.dataset.name = name;
    return row;
  }
}

function inWords(name) {
  return sentence(name.replaceAll("_", " "));
}
