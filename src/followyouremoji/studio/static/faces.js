// Of a portrait with several faces: which of them move, and each by what. A numbered frame is drawn around each.

import { getJson } from "./api.js";
import { make, title } from "./dom.js";
import { change, session, watch } from "./session.js";

const STILL = "still"; // beside ids of drivings, and "" for the driving that is chosen for the portrait

export class Faces {
  constructor() {
    this.frames = make("div", { className: "fye-faces", role: "group", "aria-label": "Which faces move" });
    this.list = make("div", { className: "fye-face-list", hidden: true });
    this.boxes = [];
    watch((names) => {
      if (names.has("portrait")) this.find();
      else if (names.has("faces")) this.mark();
    });
  }

  async find() {
    const { portrait } = session;
    this.boxes = [];
    this.show([]);
    if (!(portrait?.faces > 1)) return;
    const [boxes, examples, own] = await Promise.all([
      getJson(`materials/${encodeURIComponent(portrait.id)}/faces`), getJson("examples"), getJson("materials?kind=driving"),
    ]);
    if (portrait !== session.portrait) return; // another was chosen meanwhile
    this.boxes = boxes;
    this.show([...own, ...examples.drivings]);
  }

  show(drivings) {
    const numbers = this.boxes.map((box, place) => place + 1);
    this.frames.replaceChildren(...numbers.map((number) => this.frame(number)));
    this.list.replaceChildren(...numbers.map((number) => this.choice(number, drivings)));
    this.list.hidden = numbers.length === 0;
    this.mark();
  }

  frame(number) {
    const percent = (share) => `${100 * share}%`;
    const [left, top, right, bottom] = this.boxes[number - 1];
    const button = make("button", {
      type: "button", "aria-label": `Face ${number} moves`, title: `Face ${number}`,
      onclick: () => this.set(number, this.driving(number) === STILL ? "" : STILL),
    }, make("span", {}, String(number)));
    Object.assign(button.style, {
      left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top),
    });
    return button;
  }

  choice(number, drivings) {
    const option = (value, text) => make("option", { value }, text);
    const select = make("select", { onchange: () => this.set(number, select.value) },
      option(STILL, "keeps still"), option("", "moves as chosen above"),
      make("optgroup", { label: "moves as" }, ...drivings.map((one) => option(one.id, title(one)))));
    return make("label", {}, `Face ${number} `, select);
  }

  // What moves a face: "" what is chosen above, an id, or STILL.
  driving(number) {
    if (session.faces.length === 0) return number === this.largest ? "" : STILL;
    const chosen = session.faces.find((one) => one.face === number);
    return chosen ? chosen.driving ?? "" : STILL;
  }

  get largest() {
    const [width, height] = session.portrait.size; // the longest side in pixels, as the animation finds it
    const sides = this.boxes.map(([left, top, right, bottom]) => Math.max((right - left) * width, (bottom - top) * height));
    return 1 + sides.indexOf(Math.max(...sides));
  }

  set(number, driving) {
    const all = this.boxes.map((box, place) => ({ face: place + 1, driving: place + 1 === number ? driving : this.driving(place + 1) }));
    const faces = all.filter((one) => one.driving !== STILL).map((one) => ({ ...one, driving: one.driving || null }));
    if (faces.length) change({ faces }); // one has to move
    this.mark();
  }

  mark() {
    this.boxes.forEach((box, place) => {
      const driving = this.driving(place + 1);
      this.frames.children[place].setAttribute("aria-pressed", String(driving !== STILL));
      this.list.children[place].querySelector("select").value = driving;
    });
  }
}
