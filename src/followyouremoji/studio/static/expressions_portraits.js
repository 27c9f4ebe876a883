// The portraits to choose from: the visitor's own and the examples.

import { getJson, sendFile } from "./api.js";
import { make } from "./dom.js";
import { thumbnail } from "./thumbnails.js";

export class Portraits {
  // `onChoice` is called with a portrait's id, `tell` with a sentence for the user.
  constructor(element, onChoice, tell) {
    Object.assign(this, { onChoice, tell });
    this.tiles = make("div", { className: "fye-tiles", role: "group", "aria-label": "Portrait" });
    this.input = make("input", { type: "file", accept: "image/*,.heic,.heif,.avif", hidden: true, onchange: () => this.#picked() });
    this.button = make("button", { type: "button", className: "fye-own", onclick: () => this.input.click() }, "Your own");
    element.append(this.button, this.input, this.tiles);
  }

  // Show them; resolves to the one that is chosen, or another where that is gone.
  async open(chosen) {
    const [{ portraits }, own] = await Promise.all([getJson("examples"), getJson("materials?kind=portrait")]);
    this.tiles.append(...[...own, ...portraits].map((one) => this.#tile(one)));
    const ids = [...this.tiles.children].map((tile) => tile.dataset.id);
    return this.mark(ids.includes(chosen) ? chosen : portraits[0].id);
  }

  mark(portrait) {
    for (const tile of this.tiles.children) tile.setAttribute("aria-pressed", String(tile.dataset.id === portrait));
    return portrait;
  }

  #tile(portrait) {
    return thumbnail(portrait, ({ id }) => this.onChoice(this.mark(id)));
  }

  async #picked() {
    const [file] = this.input.files;
    if (!file) return;
    this.input.value = ""; // so that the same file can be picked again
    this.button.disabled = true;
    this.tell("");
    try {
      const portrait = await sendFile("portrait", file);
      this.tiles.prepend(this.#tile(portrait));
      this.onChoice(this.mark(portrait.id));
    } catch (error) {
      this.tell(error.message);
    } finally {
      this.button.disabled = false;
    }
  }
}
