// Tiles of which one or several are chosen: bundled examples and what the visitor gave, and a tile to add files.

import { getJson, sendFile } from "./api.js";

export class Choice extends EventTarget {
  // `kind` is "portrait" or "driving"; `several` lets more than one be chosen.
  constructor(element, kind, label, several = false) {
    super();
    Object.assign(this, { element, kind, several, chosen: new Set(), materials: [] });
    this.tiles = make("div", "fye-tiles");
    this.tiles.setAttribute("role", "group");
    this.tiles.setAttribute("aria-label", label);
    this.problem = make("p", "fye-problem");
    this.problem.setAttribute("role", "alert");
    this.problem.hidden = true;
    element.append(this.tiles, this.problem);
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }

  // Ask for what there is, and show it.
  async refresh() {
    try {
      const [examples, own] = await Promise.all([getJson("examples"), getJson("materials")]);
      this.materials = [...own, ...examples[`${this.kind}s`]].filter((one) => one.kind === this.kind);
      this.show();
    } catch (error) {
      this.complain(error.message);
    }
  }

  find(id) {
    return this.materials.find((one) => one.id === id);
  }

  // Take files in, one after the other; what cannot be used is said, and the others are taken.
  async add(files) {
    const complaints = [];
    this.complain("");
    for (const file of files) {
      this.busy.textContent = `Looking at ${file.name} …`;
      try {
        const material = await sendFile(this.kind, file);
        this.materials.unshift(material);
        this.choose(material.id, true);
      } catch (error) {
        complaints.push(error.message);
      }
    }
    this.show();
    this.complain(complaints.join(" "));
  }

  choose(id, on = true) {
    if (!this.several) this.chosen.clear();
    if (on) this.chosen.add(id);
    else this.chosen.delete(id);
    this.mark();
    this.dispatchEvent(new CustomEvent("chosen", { detail: id }));
  }

  complain(sentence) {
    this.problem.textContent = sentence;
    this.problem.hidden = !sentence;
  }

  show() {
    const add = make("label", "fye-tile fye-add");
    this.busy = make("span");
    this.busy.textContent = this.kind === "portrait" ? "Add a picture" : "Add a clip";
    const input = document.createElement("input");
    Object.assign(input, { type: "file", multiple: this.several });
    input.accept = this.kind === "portrait" ? "image/*" : "video/*,image/*,.fyemotion,.npy";
    input.addEventListener("change", () => this.add([...input.files]));
    add.append("+", this.busy, input);
    this.tiles.replaceChildren(add, ...this.materials.map((one) => this.tile(one)));
    this.mark();
  }

  tile(material) {
    const tile = make("button", "fye-tile");
    tile.type = "button";
    tile.dataset.id = material.id;
    if (material.kind === "portrait" || material.view) tile.append(picture(material));
    const name = make("span");
    name.textContent = material.name;
    tile.append(name);
    tile.addEventListener("click", () => this.choose(material.id, !(this.several && this.chosen.has(material.id))));
    return tile;
  }

  mark() {
    for (const tile of this.tiles.querySelectorAll("button")) {
      tile.setAttribute("aria-pressed", this.chosen.has(tile.dataset.id));
    }
  }
}

function picture(material) {
  const view = document.createElement(material.kind === "portrait" ? "img" : "video");
  view.src = `/studio/materials/${material.id}/view`;
  if (material.kind === "portrait") Object.assign(view, { alt: "", loading: "lazy" });
  else Object.assign(view, { muted: true, preload: "metadata" });
  return view;
}

function make(kind, name = "") {
  const made = document.createElement(kind);
  made.className = name;
  return made;
}
