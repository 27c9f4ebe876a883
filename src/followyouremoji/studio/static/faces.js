// Of a portrait with several faces: which one moves. A frame with a number is drawn around each.

import { getJson } from "./api.js";
import { make } from "./dom.js";
import { change, session, watch } from "./session.js";

export class Faces {
  constructor() {
    this.element = make("div", { className: "fye-faces", role: "group", "aria-label": "Which face moves" });
    this.portrait = null;
    watch((names) => {
      if (names.has("portrait")) this.find();
      else if (names.has("face")) this.mark();
    });
  }

  async find() {
    this.element.replaceChildren();
    const { portrait } = session;
    if (!(portrait?.faces > 1)) return;
    const boxes = await getJson(`materials/${encodeURIComponent(portrait.id)}/faces`);
    if (portrait !== session.portrait) return; // another was chosen meanwhile
    this.boxes = boxes;
    this.element.replaceChildren(...boxes.map((box, place) => this.frame(box, place + 1)));
    this.mark();
  }

  frame([left, top, right, bottom], number) {
    const percent = (share) => `${100 * share}%`;
    const button = make("button", {
      type: "button", "aria-label": `Face ${number}`, title: `Face ${number}`, onclick: () => change({ face: number }),
    }, make("span", {}, String(number)));
    Object.assign(button.style, {
      left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top),
    });
    return button;
  }

  mark() {
    const size = ([left, top, right, bottom]) => Math.max(right - left, bottom - top);
    const largest = this.boxes ? 1 + this.boxes.map(size).indexOf(Math.max(...this.boxes.map(size))) : 0;
    [...this.element.children].forEach((button, place) => {
      button.setAttribute("aria-pressed", String(place + 1 === (session.face ?? largest)));
    });
  }
}
