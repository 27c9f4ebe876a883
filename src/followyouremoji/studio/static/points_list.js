// Beside the picture: what to do next, a drawing of where the chosen point goes, and how all points are.

import { make, problem } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

export class PointsList {
  // `focus(name, byKey)` is called with the point that is chosen in the list.
  constructor(element, placing, focus) {
    Object.assign(this, { placing, selected: null });
    this.next = element.querySelector(".fye-next");
    this.problem = problem();
    element.querySelector(".fye-warning").append(this.problem.element);
    this.reference = element.querySelector(".fye-reference");
    this.rows = new Map(placing.table.points.map((point) => [point.name, row(point, focus)]));
    element.querySelector(".fye-list").append(...this.rows.values());
    placing.addEventListener("change", () => this.show());
  }

  select(name) {
    this.selected = name;
    this.said = "";
    this.show();
  }

  say(sentence) {
    this.said = sentence;
    this.show();
  }

  show() {
    const { placing } = this;
    for (const [name, one] of this.rows) {
      const state = placing.stateOf(name);
      const far = placing.residual(name);
      one.dataset.state = state;
      one.querySelector("button").setAttribute("aria-current", name === this.selected);
      one.querySelector(".fye-off").textContent = state === "placed" && far !== null ? `${far.toFixed(1)} px` : state;
    }
    this.next.textContent = this.said || this.sentence();
    const wrong = placing.problem || this.warning();
    if (wrong) this.problem.say(wrong);
    else this.problem.clear();
    this.draw();
  }

  sentence() {
    const { placing, selected } = this;
    const next = placing.next();
    if (next && next === selected) return `Click in the picture: ${placing.named.get(next).label.toLowerCase()}.`;
    if (placing.problem || !selected) return "Drag whatever is off; what is hollow follows by itself until you place it.";
    const { label } = placing.named.get(selected);
    return {
      placed: `${label}: drag it where it belongs.`,
      guessed: `${label}: guessed from the others. Drag it, or click where it belongs, if it is off.`,
      missing: `${label}: click where it belongs.`,
      ignored: `${label}: it does not fit the others.`,
    }[placing.stateOf(selected)];
  }

  warning() {
    const doubted = [...(this.placing.fitted?.doubted ?? [])].map((name) => this.placing.named.get(name).label);
    if (!doubted.length) return "";
    const [verb, pronoun] = doubted.length > 1 ? ["do not", "they are"] : ["does not", "it is"];
    return `${doubted.join("; ")} ${verb} fit the other points: ${pronoun} ignored. Move or delete what is wrong.`;
  }

  // The reference face, from the side that is chosen; points that are hidden there are shown from the front.
  draw() {
    const { views } = this.placing.table;
    const hidden = views[this.placing.view].hidden.includes(this.selected);
    const side = hidden ? "front" : this.placing.view;
    const view = views[side];
    if (this.drawn !== side) {
      const seen = Object.entries(view.points).filter(([name]) => this.rows.has(name) && !view.hidden.includes(name));
      this.dots = drawFace(this.reference, view.paths, Object.fromEntries(seen), "open");
      this.drawn = side;
    }
    for (const [name, dot] of this.dots) {
      dot.setAttribute("class", `fye-dot-${this.placing.placed.has(name) ? "placed" : "open"}`);
      dot.classList.toggle("fye-dot-chosen", name === this.selected);
      dot.setAttribute("r", name === this.selected ? 26 : 13);
    }
  }
}

// Draw the reference face with points {name: [x, y]}, all in one state; gives a map of their dots.
export function drawFace(svg, paths, points, state) {
  const dots = new Map(Object.entries(points).map(([name, [cx, cy]]) =>
    [name, shape("circle", { class: `fye-dot-${state}`, cx, cy, r: 13 })]));
  svg.replaceChildren(...paths.map(([kind, d]) => shape("path", { class: `fye-face-${kind}`, d })), ...dots.values());
  return dots;
}

function row(point, focus) {
  const choose = (event) => focus(point.name, event.detail === 0); // no click of a pointer: a key
  return make("li", {}, make("button", { type: "button", onclick: choose },
    make("span", {}, point.label), make("span", { className: "fye-off" })));
}

function shape(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
