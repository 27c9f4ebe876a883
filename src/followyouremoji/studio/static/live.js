// The tab Live: a portrait moves as who sits before the camera does, or as a clip that is played.

import { Choice } from "./choice.js";
import { icon, make, problem, sentence, title } from "./dom.js";
import { Figures } from "./live_figures.js";
import { LiveSocket } from "./live_socket.js";
import { Source } from "./live_source.js";
import { change, session, watch } from "./session.js";
import { onShown } from "./tabs.js";

const STATES = {
  idle: "Start, and it moves as you do.",
  asking: "Allow the camera, where the browser asks for that.",
  waiting: "Another visitor is live, and you are next.",
  loading: "Looking at the portrait …",
  ready: "Waiting for the first picture …",
  calibrating: "Look straight ahead and relax your face for a second …",
  live: "Live: it moves as you do.",
  held: "No face is seen: the last pose is held.",
};
const BESIDE = "An animation is being made at the same time, so both are slower.";
const FOLLOWED = new Set(["expression", "brows", "eyes", "mouth", "gaze", "head_strength"]); // all others are of a pose

export function mount(element) {
  new Live(element);
}

class Live {
  constructor(element) {
    Object.assign(this, { element, socket: null, figures: new Figures(), alignment: {}, latest: 0, clip: null });
    this.choice = new Choice(element.querySelector(".fye-choice"), "portrait", "The portrait that moves");
    this.problem = problem();
    element.querySelector(".fye-wrong").replaceWith(this.problem.element);
    this.pair = element.querySelector(".fye-live-pair");
    this.canvas = this.pair.querySelector("canvas");
    this.own = element.querySelector(".fye-live-own .fye-screen");
    this.own.prepend(icon("camera"));
    this.mirror = element.querySelector("[name=mirror]");
    this.size = element.querySelector("[name=size]");
    this.file = element.querySelector("[name=clip]");
    this.source = new Source(element.querySelector("video"), () => this.seen(), (why) => this.end(why));
    this.source.video.addEventListener("resize", () => this.turned());
    this.buttons = new Map([...element.querySelectorAll("[data-do]")].map((one) => [one.dataset.do, one]));
    this.listen();
    this.turn();
    this.say("idle");
  }

  listen() {
    const doing = {
      camera: () => this.start(null),
      clip: () => this.file.click(),
      stop: () => this.stop(),
      recalibrate: () => this.socket?.tell({ recalibrate: true }),
    };
    for (const [name, act] of Object.entries(doing)) this.buttons.get(name).addEventListener("click", act);
    this.file.addEventListener("change", () => {
      const [clip] = this.file.files;
      this.file.value = ""; // so that the same one can be chosen again
      if (clip) this.start(clip);
    });
    this.size.addEventListener("change", () => this.socket && this.connect());
    this.mirror.addEventListener("change", () => {
      this.turn();
      this.socket?.tell({ recalibrate: true }); // the face at rest is another one in the mirror
    });
    window.addEventListener("fye-live", ({ detail }) => this.slide(detail));
    this.choice.addEventListener("chosen", ({ detail }) => {
      const material = this.choice.find(detail);
      if (material.id !== session.portrait?.id) change({ portrait: material, faces: [] });
    });
    watch((names) => names.has("portrait") && session.portrait && this.show(session.portrait));
    onShown(this.pair, () => this.shown());
  }

  async shown() {
    await this.choice.refresh();
    if (session.portrait && this.choice.find(session.portrait.id)) this.choice.choose(session.portrait.id);
  }

  // Show a portrait at rest; where another one is live, this one goes on.
  show(portrait) {
    if (this.choice.find(portrait.id)) this.choice.choose(portrait.id);
    const screen = this.canvas.parentElement;
    const image = screen.querySelector("img");
    image.src = `/studio/materials/${encodeURIComponent(portrait.id)}/view`;
    image.hidden = false;
    screen.classList.remove("fye-loading");
    screen.classList.toggle("fye-clear", portrait.transparent);
    screen.style.setProperty("--ratio", portrait.size[0] / portrait.size[1]);
    this.canvas.setAttribute("aria-label", `${title(portrait)}, live`);
    this.clear();
    const faceless = portrait.faces === 0;
    for (const name of ["camera", "clip"]) this.buttons.get(name).disabled = faceless;
    if (faceless) {
      this.stop();
      const fix = () => window.dispatchEvent(new CustomEvent("fye-fix-points", { detail: { portrait: portrait.id } }));
      this.problem.say(`No face was found in ${portrait.name}. Show where its eyes, nose and mouth are, and it can move.`,
        make("button", { type: "button", className: "fye-button", onclick: fix }, "Place points"));
    } else {
      this.problem.clear();
      if (this.socket) this.connect();
    }
  }

  // Show the portrait at rest.
  clear() {
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const name of ["rate", "latency", "dropped"]) this.figure(name, "–");
  }

  // Start with the camera, or with a clip.
  async start(clip) {
    if (Boolean(clip) !== Boolean(this.clip)) this.mirror.checked = !clip;
    this.clip = clip;
    this.problem.clear();
    this.turn();
    this.say("asking");
    try {
      if (!(await this.source.open(clip))) return;
    } catch (error) {
      this.end(error.message);
      return;
    }
    this.connect();
  }

  connect() {
    this.socket?.close();
    Object.assign(this, { figures: new Figures(), latest: 0, ratio: this.source.ratio });
    const face = session.faces.find((one) => Number.isInteger(one.face))?.face ?? null;
    const asked = { portrait: session.portrait.id, face, size: Number(this.size.value), alignment: this.alignment };
    this.socket = new LiveSocket(asked, {
      state: (words) => this.told(words),
      frame: (time, picture) => this.draw(time, picture),
      ended: (why) => this.end(why),
    });
    this.say("loading");
  }

  // The source's pictures have another shape, as those of a telephone that is turned.
  turned() {
    this.own.style.setProperty("--ratio", this.source.ratio);
    if (this.socket && this.ratio !== this.source.ratio) this.connect();
  }

  // A new picture of the source is seen.
  seen() {
    if (!this.pair.offsetParent) this.stop(); // another tab is open
    else if (this.socket?.isFree) this.socket.picture(performance.now() / 1000, this.source.picture(this.mirror.checked));
    else if (this.socket?.ready) this.figures.skipped += 1;
  }

  told({ state, before, dropped = 0, animating = false }) {
    const others = before > 1 ? `Another visitor is live, and ${before - 1} more wait before you.` : STATES[state];
    this.say(state, animating ? `${STATES[state]} ${BESIDE}` : others);
    const { latest, skipped } = this.figures;
    this.figure("rate", latest ? `${latest.rate.toFixed(1)} a second` : "–");
    this.figure("latency", latest ? `${milliseconds(latest.half)} (95 %: ${milliseconds(latest.most)})` : "–");
    this.figure("dropped", `${dropped + skipped} pictures`);
  }

  figure(name, words) {
    this.element.querySelector(`[data-figure=${name}]`).textContent = words;
  }

  async draw(time, picture) {
    const { socket, canvas } = this;
    const bitmap = await createImageBitmap(picture);
    if (this.socket === socket && time > this.latest) {
      this.latest = time;
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
      const context = canvas.getContext("2d");
      context.globalCompositeOperation = "copy"; // of a transparent one nothing stays
      context.drawImage(bitmap, 0, 0);
      this.figures.show(time);
    }
    bitmap.close();
  }

  slide(values) {
    const alignment = { pose: {} };
    for (const [name, value] of Object.entries(values)) {
      if (FOLLOWED.has(name)) alignment[name] = value;
      else if (value !== 0) alignment.pose[name] = value;
    }
    this.alignment = alignment;
    this.socket?.tell({ alignment });
  }

  turn() {
    this.own.classList.toggle("fye-mirrored", this.mirror.checked);
  }

  // Show a state, in its usual words or in others.
  say(state, words = STATES[state]) {
    const isRunning = state !== "idle";
    for (const name of ["camera", "clip"]) this.buttons.get(name).hidden = isRunning;
    this.buttons.get("stop").hidden = !isRunning;
    this.buttons.get("recalibrate").hidden = !["calibrating", "live", "held"].includes(state);
    this.element.dataset.state = state;
    const line = this.element.querySelector(".fye-live-state");
    if (line.textContent !== words) line.textContent = words; // it is read out
  }

  stop() {
    this.socket?.close();
    this.socket = null;
    this.source.close();
    this.clear();
    this.say("idle");
  }

  // It has come to its end by itself.
  end(why) {
    this.stop();
    this.problem.say(`${sentence(why)}${/[.!?]$/.test(why) ? "" : "."}`,
      make("button", { type: "button", className: "fye-button", onclick: () => this.start(this.clip) }, "Try again"));
  }
}

function milliseconds(seconds) {
  return `${Math.round(1000 * seconds)} ms`;
}
