// Tiles of which one or several are chosen: what the visitor gave and bundled examples, and a button to add files.

import { getJson, sendFile } from "./api.js";
import { make, problem, skeleton } from "./dom.js";
import { thumbnail } from "./thumbnails.js";

const KINDS = {
  portrait: { button: "Add a picture", accept: "image/*,.heic,.heif,.avif" },
  driving: { button: "Add a clip", accept: "video/*,image/*,.mkv,.fyemotion,.npy,.heic,.heif" },
};

export class Choice extends EventTarget {
  // `kind` is "portrait" or "driving"; `several` lets more than one be chosen.
  constructor(element, kind, label, several = false) {
    super();
    Object.assign(this, { kind, several, chosen: new Set(), materials: null }); // null: not asked for yet
    const { button, accept } = KINDS[kind];
    this.input = make("input", { type: "file", accept, multiple: several, hidden: true, "aria-label": button });
    this.input.addEventListener("change", () => this.picked());
    this.words = make("span", {}, button);
    this.adding = make("button", { type: "button", className: "fye-thumb fye-add", onclick: () => this.input.click() }, "+", this.words);
    this.tiles = make("div", { className: "fye-choices fye-tiles", role: "group", "aria-label": label });
    this.problem = problem();
    element.append(this.tiles, this.input, this.problem.element);
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
    this.show();
  }

  // Ask for what there is, and show it.
  async refresh() {
    try {
      const [examples, own] = await Promise.all([getJson("examples"), getJson(`materials?kind=${this.kind}`)]);
      this.materials = [...own, ...examples[`${this.kind}s`]];
      this.show();
    } catch (error) {
      this.problem.say(error.message);
    }
  }

  find(id) {
    return this.materials?.find((one) => one.id === id);
  }

  picked() {
    const files = [...this.input.files];
    this.input.value = ""; // so that the same file can be picked again
    this.add(this.several ? files : files.slice(0, 1));
  }

  // Take files in, one after the other; what cannot be used is said, and the others are taken.
  async add(files) {
    const complaints = [];
    this.problem.clear();
    this.adding.disabled = true;
    for (const file of files) {
      this.words.textContent = `Looking at ${file.name} …`;
      try {
        const material = await sendFile(this.kind, file);
        this.materials = [material, ...(this.materials ?? [])];
        this.choose(material.id);
      } catch (error) {
        complaints.push(error.message);
      }
    }
    this.adding.disabled = false;
    this.words.textContent = KINDS[this.kind].button;
    this.show();
    if (complaints.length) this.problem.say(complaints.join(" "));
  }

  choose(id, on = true) {
    if (!this.several) this.chosen.clear();
    if (on) this.chosen.add(id);
    else this.chosen.delete(id);
    this.mark();
    this.dispatchEvent(new CustomEvent("chosen", { detail: id }));
  }

  show() {
    const choose = ({ id }) => this.choose(id, !(this.several && this.chosen.has(id)));
    const tiles = this.materials?.map((one) => thumbnail(one, choose)) ?? skeleton(5);
    this.tiles.replaceChildren(this.adding, ...tiles);
    this.mark();
  }

  mark() {
    for (const tile of this.tiles.querySelectorAll("[data-id]")) {
      tile.setAttribute("aria-pressed", String(this.chosen.has(tile.dataset.id)));
    }
  }
}
