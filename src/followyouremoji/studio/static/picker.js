// Where a portrait or a driving is chosen: dropped, pasted, picked as a file, recorded, or one of the examples.

import { getJson, sendFile } from "./api.js";
import { camera } from "./camera.js";
import { icon, make, problem, title } from "./dom.js";
import { change, session, watch } from "./session.js";
import { thumbnail } from "./thumbnails.js";

const KINDS = {
  portrait: {
    heading: "Portrait",
    invite: "Drop a picture here, paste one, or",
    button: "Choose a picture",
    taken: "JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP",
    accept: "image/*,.heic,.heif,.avif",
    looking: "Looking for the face …",
  },
  driving: {
    heading: "What moves it",
    invite: "Drop a clip here, or",
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
    this.face = make("div", { className: "fye-chosen" });
    this.chosenName = make("p", { className: "fye-name" });
    this.limits = make("p", { className: "fye-hint" });
    const choose = make("button", { type: "button", className: "fye-button", onclick: () => this.input.click() },
      icon(kind === "portrait" ? "picture" : "clip"), words.button);
    const buttons = make("div", { className: "fye-buttons" }, choose);
    const drop = make("div", { className: "fye-drop" }, this.face,
      make("div", { className: "fye-about" }, this.chosenName, make("p", {}, words.invite), buttons, this.limits));
    this.progress = make("progress", { max: 1, "aria-label": "Upload" });
    this.stage = make("span", { role: "status" });
    this.busy = make("div", { className: "fye-busy", hidden: true }, this.stage, this.progress,
      make("button", { type: "button", className: "fye-quiet", onclick: () => this.upload?.abort() }, "Cancel"));
    this.groups = make("div", { className: "fye-groups" });
    this.element = make("section", { className: `fye-card fye-picker fye-${kind}`, "aria-label": words.heading },
      make("h2", {}, words.heading), drop, this.busy, this.problem.element, this.input, this.groups);
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
    this.limits.textContent = `${this.words.taken}; up to ${megabytes} MB${longest}.`;
    this.examples = examples[`${this.kind}s`];
    await this.refresh();
  }

  async refresh() {
    this.own = await getJson(`materials?kind=${this.kind}`);
    const groups = new Map();
    if (this.own.length) groups.set("Yours", this.own);
    for (const one of this.examples) {
      const group = one.style ?? "Examples";
      groups.set(group, [...(groups.get(group) ?? []), one]);
    }
    this.groups.replaceChildren(...[...groups].map(([name, materials]) =>
      make("div", { className: "fye-group", role: "group", "aria-label": name }, make("h3", {}, name),
        make("div", {}, ...materials.map((one) => thumbnail(one, (chosen) => this.choose(chosen)))))));
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
    this.face.replaceChildren(...(chosen ? [this.shown(chosen)] : []));
    if (chosen && this.kind === "portrait" && chosen.faces === 0) {
      const fix = () => window.dispatchEvent(new CustomEvent("fye-fix-points", { detail: { portrait: chosen.id } }));
      this.problem.say(`No face was found in ${chosen.name}. Show where its eyes, nose and mouth are, and it can be animated.`,
        make("button", { type: "button", className: "fye-button", onclick: fix }, "Place points"));
    }
    this.mark();
  }

  shown(chosen) {
    const tile = thumbnail(chosen, () => this.input.click());
    tile.setAttribute("aria-label", `${this.words.button} instead of ${title(chosen)}`);
    tile.setAttribute("aria-pressed", "true");
    return tile;
  }

  mark() {
    for (const tile of this.groups.querySelectorAll(".fye-thumb")) {
      tile.setAttribute("aria-pressed", String(tile.dataset.id === session[this.kind]?.id));
    }
  }
}
