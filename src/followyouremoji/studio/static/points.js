// The tab Points: a portrait is chosen, points are placed on its face, and kept.

import { Choice } from "./choice.js";
import { getJson, sendJson } from "./api.js";
import { onShown, openTab } from "./tabs.js";
import { PointsCanvas } from "./points_canvas.js";
import { drawFace, PointsList } from "./points_list.js";
import { Placing } from "./points_state.js";

const FOUND = "A face was found. Drag what is off, or start anew if it is not the face at all.";

export async function mount(element) {
  const choice = new Choice(element.querySelector(".fye-choice"), "portrait", "The portrait whose points are placed");
  let table;
  try {
    table = await getJson("points");
  } catch (error) {
    choice.problem.say(error.message);
    return;
  }
  const { points, paths } = table.views.front;
  drawFace(element.querySelector(".fye-invite svg"), paths, points, "placed");
  new PointsTab(element, choice, table);
}

class PointsTab {
  constructor(element, choice, table) {
    Object.assign(this, { element, choice });
    this.placing = new Placing(table);
    this.list = new PointsList(element, this.placing, (name, byKey) => this.focus(name, byKey));
    this.canvas = new PointsCanvas(element.querySelector(".fye-canvas"), this.placing, (name) => this.list.select(name));
    choice.addEventListener("chosen", (event) => this.open(event.detail));
    this.placing.addEventListener("change", () => this.show());
    for (const button of element.querySelectorAll("[data-do]")) {
      button.addEventListener(button.type === "checkbox" ? "change" : "click", () => this.doing(button));
    }
    for (const radio of element.querySelectorAll(".fye-looks input")) {
      radio.addEventListener("change", () => this.look(radio.value));
    }
    this.file = element.querySelector(".fye-side input[type=file]");
    this.file.addEventListener("change", () => this.load());
    element.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("fye-fix-points", (event) => this.fix(event.detail.portrait));
    onShown(element, () => this.shown());
  }

  // What was open last is open again when the page is loaded anew.
  async shown() {
    await this.choice.refresh();
    if (this.placing.portrait) return;
    const { portrait } = await getJson("drafts/points");
    if (portrait && this.choice.find(portrait)) this.choice.choose(portrait);
  }

  // Another tab sends a portrait here.
  async fix(id) {
    openTab("Points");
    await this.choice.refresh();
    this.choice.choose(id);
  }

  async open(id) {
    try {
      const [portrait, points] = await Promise.all([
        getJson(`materials/${id}`), getJson(`materials/${id}/points`),
      ]);
      Object.assign(this, { known: points, isKept: Object.keys(points.kept).length > 0 });
      this.element.querySelector(".fye-placing").hidden = false;
      this.element.querySelector(".fye-invite").hidden = true;
      sendJson("drafts/points", { portrait: id }, { method: "PUT" }).catch(() => {}); // a comfort, no more
      this.placing.open(portrait, this.isKept ? points.kept : points.found);
      await this.canvas.open(portrait, [...this.placing.placed.values()]);
      this.advance();
      if (!this.isKept && this.placing.placed.size) this.list.say(FOUND);
    } catch (error) {
      this.choice.problem.say(error.message);
    }
  }

  look(view) {
    this.placing.view = view;
    this.placing.changed();
    this.advance();
  }

  // Turn to the next point of the guide that is not placed yet.
  advance() {
    const next = this.placing.next();
    this.canvas.turnTo(next);
    this.list.select(next);
  }

  // From the list; a point of which nothing is known waits for a click, or begins in the middle for the arrow keys.
  focus(name, byKey) {
    this.canvas.turnTo(name);
    if (!this.placing.at(name)) {
      if (!byKey) return;
      this.placing.remember();
      this.placing.place(name, this.canvas.view.middle);
      this.canvas.paint();
    }
    this.canvas.reveal(name);
    this.canvas.handles.get(name).focus({ preventScroll: true });
  }

  show() {
    const { placing } = this;
    const set = (what, state) => Object.assign(this.element.querySelector(`[data-do=${what}]`), state);
    const changed = placing.asText() !== placing.kept;
    set("undo", { disabled: !placing.past.length });
    set("redo", { disabled: !placing.future.length });
    set("keep", { disabled: !placing.fitted || (this.isKept && !changed) });
    set("animate", { hidden: !this.isKept || changed });
    set("forget", { hidden: !this.isKept });
    set("save", { hidden: !this.isKept || changed, href: `/studio/materials/${placing.portrait?.id}/points/file` });
    const guided = placing.next();
    if (this.guided && guided !== this.guided && placing.placed.has(this.guided)) this.advance();
    this.guided = guided;
  }

  async doing(button) {
    const { canvas, placing } = this;
    const actions = {
      undo: () => placing.undo(),
      redo: () => placing.redo(),
      smaller: () => canvas.view.zoomBy(1 / 1.5),
      larger: () => canvas.view.zoomBy(1.5),
      whole: () => canvas.view.whole(),
      wires: () => { canvas.wires = button.checked; canvas.draw(); },
      anew: () => { placing.replace({}); this.advance(); },
      keep: () => this.keep(),
      forget: () => this.forget(),
      animate: () => window.dispatchEvent(new CustomEvent("fye-use-again", { detail: { portrait: placing.portrait.id } })),
      load: () => this.file.click(),
      save: () => {},
    };
    try {
      await actions[button.dataset.do]();
    } catch (error) {
      this.list.problem.say(error.message);
    }
  }

  async keep() {
    const { placing } = this;
    const answer = await sendJson(`materials/${placing.portrait.id}/points`, Object.fromEntries(placing.placed), { method: "PUT" });
    const portrait = await answer.json();
    const copied = portrait.id !== placing.portrait.id;
    this.isKept = true;
    placing.portrait = portrait;
    placing.kept = placing.asText();
    if (copied) {
      sendJson("drafts/points", { portrait: portrait.id }, { method: "PUT" }).catch(() => {});
      await this.choice.refresh();
      this.choice.chosen = new Set([portrait.id]);
      this.choice.mark();
    }
    placing.tell();
    const copy = copied ? "The example was copied to your own pictures. " : "";
    this.list.say(`Kept. ${copy}From now on these points are used whenever it is previewed or animated.`);
    this.tellOthers();
  }

  async forget() {
    await sendJson(`materials/${this.placing.portrait.id}/points`, {}, { method: "DELETE" });
    this.tellOthers();
    await this.open(this.placing.portrait.id);
    this.list.say("Forgotten: the face that was found is used again, if one was.");
  }

  // Previews of this portrait are out of date.
  tellOthers() {
    window.dispatchEvent(new CustomEvent("fye-points-kept", { detail: { portrait: this.placing.portrait.id } }));
  }

  async load() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    try {
      const text = await file.text();
      const answer = await sendJson("points/file", { portrait: this.placing.portrait.id, name: file.name, text });
      this.placing.replace(await answer.json());
    } catch (error) {
      this.list.problem.say(error.message);
    }
  }

  key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) this.placing.redo();
    else this.placing.undo();
  }
}
