// Where a portrait or a driving is chosen: dropped, pasted, picked as a file, recorded, or one of the examples.

import { getJson, sendFile } from "./api.js";
import { camera } from "./camera.js";
import { icon, make, problem, skeleton, title } from "./dom.js";
import { change, session, watch } from "./session.js";
import { thumbnail } from "./thumbnails.js";

const KINDS = {
  portrait: {
    heading: "Portrait",
    invite: "or drop or paste one here",
    button: "Choose a picture",
    taken: "JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP",
    accept: "image/*,.heic,.heif,.avif",
    looking: "Looking for the face …",
  },
  driving: {
    heading: "What moves it",
    invite: "or drop one here",
    button: "Choose a clip",
    taken: "MP4, MOV, WebM, MKV, GIF, a picture, or .fyemotion",
    accept: "video/*,image/*,.mkv,.fyemotion,.npy,.heic,.heif",
    looking: "Following the face …",
  },
};

export class Picker {
  constructor(kind) {
    const words = KINDS[kind];
    Object.assign(this, { kind, words, own: [], examples: [], upload: null });
    this.problem = problem();
    this.input = make("input", {
      type: "file", accept: words.accept, hidden: true, "aria-label": words.button, onchange: () => this.picked(),
    });
    this.chosenName = make("p", { className: "fye-name" });
    this.limits = make("p", { className: "fye-hint" });
    this.button = make("button", { type: "button", className: "fye-button", onclick: () => this.input.click() },
      icon(kind === "portrait" ? "picture" : "clip"), words.button);
    const buttons = make("div", { className: "fye-buttons" }, this.button);
    const drop = make("div", { className: "fye-drop" }, buttons, this.limits);
    this.progress = make("progress", { max: 1, "aria-label": "Upload" });
    this.stage = make("span", { role: "status" });
    this.busy = make("div", { className: "fye-busy", hidden: true }, this.stage, this.progress,
      make("button", { type: "button", className: "fye-quiet", onclick: () => this.upload?.abort() }, "Cancel"));
    this.groups = make("div", { className: "fye-groups", "aria-busy": "true" },
      make("div", { className: "fye-tiles" }, ...skeleton(kind === "portrait" ? 5 : 12)));
    this.element = make("section", { className: `fye-card fye-picker fye-${kind}`, "aria-label": words.heading },
      make("div", { className: "fye-picker-head" }, make("h2", {}, words.heading), this.chosenName), drop, this.busy, this.problem.element, this.input, this.groups);
    if (kind === "driving") {
      const record = camera((file) => this.add(file), (sentence) => this.problem.say(sentence));
      if (record) {
        buttons.append(record.button);
        drop.after(record.panel);
      }
    }
    this.listen();
    watch((names) => names.has(kind) && this.show());
  }

  listen() {
    const over = (isOver) => (event) => {
      event.preventDefault();
      this.element.classList.toggle("fye-over", isOver);
    };
    this.element.addEventListener("dragover", over(true));
    this.element.addEventListener("dragleave", over(false));
    this.element.addEventListener("drop", (event) => {
      over(false)(event);
      const [file] = event.dataTransfer.files;
      if (file) this.add(file);
      else this.problem.say("That is no file. Save it first, and drop the file.");
    });
    window.addEventListener("paste", (event) => {
      const [file] = event.clipboardData?.files ?? [];
      if (file && this.element.offsetParent && file.type.startsWith("video/") === (this.kind === "driving")) this.add(file);
    });
  }

  async load(examples) {
    const { megabytes, seconds } = examples.limits;
    const longest = this.kind === "driving" ? `, the first ${seconds} s` : "";
    this.limits.textContent = `${this.words.invite}; up to ${megabytes} MB${longest}`;
    this.button.title = this.words.taken;
    this.examples = examples[`${this.kind}s`];
    await this.refresh();
  }

  async refresh() {
    this.own = await getJson(`materials?kind=${this.kind}`);
    const groups = [["Yours", this.own], ["Examples", this.examples]].filter(([, materials]) => materials.length);
    this.groups.removeAttribute("aria-busy");
    this.groups.replaceChildren(...groups.map(([name, materials]) =>
      make("div", { className: "fye-group", role: "group", "aria-label": name }, make("h3", {}, name),
        make("div", { className: "fye-tiles" }, ...materials.map((one) => thumbnail(one, (chosen) => this.choose(chosen)))))));
    this.mark();
  }

  picked() {
    const [file] = this.input.files;
    this.input.value = ""; // so that the same file can be picked again
    if (file) this.add(file);
  }

  async add(file) {
    this.upload?.abort();
    const upload = (this.upload = new AbortController());
    this.problem.clear();
    this.busy.hidden = false;
    this.stage.textContent = `Uploading ${file.name} …`;
    this.progress.value = 0;
    const advance = (share) => {
      this.progress.value = share;
      if (share < 1) return;
      this.stage.textContent = this.words.looking;
      this.progress.removeAttribute("value");
    };
    try {
      const material = await sendFile(this.kind, file, { advance, signal: upload.signal });
      this.choose(material);
      await this.refresh();
    } catch (error) {
      if (error.name !== "AbortError") this.problem.say(error.message);
    } finally {
      if (this.upload === upload) this.busy.hidden = true;
    }
  }

  choose(material) {
    this.problem.clear();
    change(this.kind === "portrait" ? { portrait: material, faces: [] } : { driving: material });
  }

  // Show what is chosen; of a portrait without a face, what can be done.
  show() {
    const chosen = session[this.kind];
    this.chosenName.textContent = chosen ? title(chosen) : "";
    if (chosen && this.kind === "portrait" && chosen.faces === 0) {
      const fix = () => window.dispatchEvent(new CustomEvent("fye-fix-points", { detail: { portrait: chosen.id } }));
      this.problem.say(`No face was found in ${chosen.name}. Show where its eyes, nose and mouth are, and it can be animated.`,
        make("button", { type: "button", className: "fye-button", onclick: fix }, "Place points"));
    }
    this.mark();
    if (chosen && !this.tiles.some((tile) => tile.dataset.id === chosen.id)) this.refresh().catch(() => {}); // added elsewhere
  }

  get tiles() {
    return [...this.groups.querySelectorAll(".fye-thumb")];
  }

  mark() {
    for (const tile of this.tiles) tile.setAttribute("aria-pressed", String(tile.dataset.id === session[this.kind]?.id));
  }
}
