// Many portraits times many motions: chosen here, made like any animation, followed in the history.

import { sendJson } from "./api.js";
import { Choice } from "./choice.js";
import { make, problem } from "./dom.js";
import { session } from "./session.js";

export class BatchPanel {
  // `begun` is called when a batch was begun.
  constructor(element, begun) {
    this.begun = begun;
    this.portraits = new Choice(element.querySelector(".fye-batch-portraits"), "portrait", "Portraits of the batch", true);
    this.drivings = new Choice(element.querySelector(".fye-batch-drivings"), "driving", "Motions of the batch", true);
    this.button = make("button", { type: "button", className: "fye-button fye-primary", onclick: () => this.begin() });
    this.problem = problem();
    element.querySelector(".fye-batch-begin").append(this.button,
      make("span", { className: "fye-hint" }, "With what the sliders of the tab Animate say now."), this.problem.element);
    for (const choice of [this.portraits, this.drivings]) choice.addEventListener("chosen", () => this.show());
    const opened = () => element.open && this.refresh();
    element.addEventListener("toggle", opened);
    opened(); // it may have been, before this script was there
    this.show();
  }

  async refresh() {
    await Promise.all([this.portraits.refresh(), this.drivings.refresh()]);
  }

  show() {
    const count = this.portraits.chosen.size * this.drivings.chosen.size;
    this.button.disabled = count === 0;
    this.button.textContent = count === 0 ? "Choose portraits and motions" : `Make ${count === 1 ? "one animation" : `${count} animations`}`;
    this.problem.clear();
  }

  async begin() {
    this.button.disabled = true;
    const wanted = { portraits: [...this.portraits.chosen], drivings: [...this.drivings.chosen], controls: session.controls };
    try {
      const { refused } = await (await sendJson("batches", wanted)).json();
      this.show();
      if (refused.length) this.problem.say(`The others are being made. ${refused.join(" ")}`);
      this.begun();
    } catch (error) {
      this.show();
      this.problem.say(error.message);
    }
  }
}
