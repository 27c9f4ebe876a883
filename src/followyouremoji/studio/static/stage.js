// The stage: landmarks over the portrait as soon as both are there, driving and result beside it, all in step.

import { sendJson } from "./api.js";
import { calm, clockTime, icon, make, problem, title } from "./dom.js";
import { Faces } from "./faces.js";
import { Landmarks } from "./landmarks.js";
import { DrivingScreen, LandmarksScreen, ResultScreen } from "./screens.js";
import { material, session, watch } from "./session.js";

const DEBOUNCE = 50; // milliseconds
const ASKED = ["portrait", "driving", "faces", "controls"];

// What is asked for with the controls as they are now; an animation is asked for in the same way.
export function wanted() {
  const { portrait, driving, faces, controls } = session;
  return { portrait: portrait.id, driving: driving.id, faces, controls };
}

// Whether a result was made of what is chosen now.
function isOfNow(result) {
  const { portrait, driving, faces, controls } = session;
  const chosen = faces.map((one) => ({ face: one.face, driving: one.driving ?? driving?.id }));
  return result.portrait === portrait?.id && result.driving === driving?.id
    && JSON.stringify(result.settings.faces) === JSON.stringify(chosen)
    && Object.entries(controls).every(([name, value]) => result.settings[name] === value);
}

// The landmarks of all faces that move, each asked for by itself.
async function landmarksOf({ portrait, driving, faces, controls }, signal) {
  const each = faces.length ? faces : [{ face: null, driving: null }];
  return Promise.all(each.map(async (one) => {
    const answer = await sendJson("preview", { portrait, driving: one.driving ?? driving, face: one.face, controls }, { signal });
    return new Landmarks(await answer.arrayBuffer());
  }));
}

// The driving that is shown: that of the first face that moves.
async function shownOf(faces, driving) {
  const own = faces[0]?.driving;
  return own && own !== driving?.id ? material(own) : driving;
}

export class Stage {
  constructor() {
    this.now = { portrait: null, driving: null, landmarks: [] }; // as the controls are; landmarks of each face that moves
    this.made = null; // the same of the result
    this.result = null;
    Object.assign(this, { mode: "preview", time: 0, playing: !calm.matches, last: 0, asking: null, timer: 0 });
    this.faces = new Faces();
    this.landmarks = new LandmarksScreen(this.faces.frames);
    this.driving = new DrivingScreen();
    this.output = new ResultScreen();
    this.views = make("div", { className: "fye-panes" }, this.landmarks.figure, this.driving.figure, this.output.figure);
    this.problem = problem();
    this.notes = make("ul", { className: "fye-notes", "aria-label": "Notes" });
    this.element = make("div", { className: "fye-stage" }, this.modes(), this.views, this.transport(), this.faces.list, this.problem.element);
    this.setMode("preview");
    watch((names) => this.changed(names));
    requestAnimationFrame((now) => this.step(now));
  }

  modes() {
    const choose = (mode) => make("button", { type: "button", onclick: () => this.setMode(mode) });
    this.buttons = { preview: choose("preview"), result: choose("result") };
    this.buttons.preview.append("Preview");
    this.buttons.result.append("Result");
    return (this.switch = make("div", { className: "fye-switch", role: "group", "aria-label": "What the stage shows", hidden: true },
      this.buttons.preview, this.buttons.result));
  }

  transport() {
    this.button = make("button", { type: "button", className: "fye-round", onclick: () => this.setPlaying(!this.playing) });
    this.scrub = make("input", {
      type: "range", min: 0, max: 1000, step: 1, value: 0, "aria-label": "Place in the animation",
      oninput: () => {
        this.setPlaying(false);
        this.time = (this.scrub.value / 1000) * this.seconds;
      },
    });
    this.clock = make("span", { className: "fye-clock" });
    this.sound = make("button", { type: "button", className: "fye-round", hidden: true, onclick: () => this.setSound(this.output.video.muted) });
    this.setSound(false);
    this.setPlaying(this.playing);
    return (this.bar = make("div", { className: "fye-transport" }, this.button, this.scrub, this.clock, this.sound));
  }

  setPlaying(playing) {
    this.playing = playing;
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.button.replaceChildren(icon(playing ? "pause" : "play"));
  }

  setSound(on) {
    this.output.video.muted = !on;
    this.sound.setAttribute("aria-label", on ? "Turn the sound off" : "Turn the sound on");
    this.sound.replaceChildren(icon(on ? "sound" : "silent"));
  }

  // "preview" or "result": what is large.
  setMode(mode) {
    this.mode = mode === "result" && this.result ? "result" : "preview";
    this.views.dataset.mode = this.mode;
    this.switch.hidden = !this.result;
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(name === this.mode));
    this.refresh();
  }

  get scene() {
    return this.mode === "result" ? this.made : this.now;
  }

  get seconds() {
    return Math.max(this.mode === "result" ? this.output.seconds : 0, ...(this.scene?.landmarks ?? []).map((one) => one.seconds));
  }

  changed(names) {
    if (!ASKED.some((name) => names.has(name))) return;
    if (!this.result || !isOfNow(this.result)) this.setMode("preview");
    if (names.has("portrait") || names.has("driving")) {
      this.now = { portrait: session.portrait, driving: session.driving, landmarks: [] };
      this.time = 0;
      this.refresh();
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), DEBOUNCE);
  }

  async ask() {
    this.asking?.abort();
    const { portrait, driving } = session;
    if (!portrait?.faces || !driving) return this.problem.clear();
    const asking = (this.asking = new AbortController());
    if (!this.now.landmarks.length) this.landmarks.caption.textContent = "Aligning the landmarks …";
    try {
      const landmarks = await landmarksOf(wanted(), asking.signal);
      this.now = { portrait, driving: await shownOf(session.faces, driving), landmarks };
      this.problem.clear();
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      this.problem.say(error.message);
    }
    return this.refresh();
  }

  // Show a result, which may be under way; null takes it away. Its landmarks are those of the controls that it has.
  async show(result) {
    const other = this.result?.id !== result?.id;
    this.result = result;
    if (other) {
      this.made = null;
      this.seen = false;
      if (result) await this.recall(result);
      if (this.result?.id !== result?.id) return;
      result = this.result; // which may be further by now
    }
    this.output.show(result, this.made?.portrait);
    this.sound.hidden = !result?.outcome?.sound;
    const seen = Boolean(result?.file) || result?.job?.frame >= 0;
    if (!result) this.setMode("preview");
    else if (seen && !this.seen) this.setMode("result");
    else this.refresh();
    this.seen = seen;
  }

  async recall(result) {
    const { faces = [], ...controls } = result.settings;
    this.made = { portrait: null, driving: null, landmarks: [] }; // the result can be seen without
    try {
      const portrait = await material(result.portrait);
      const driving = await shownOf(faces, await material(result.driving));
      const asked = { portrait: result.portrait, driving: result.driving, faces, controls };
      this.made = { portrait, driving, landmarks: await landmarksOf(asked) };
    } catch { /* its portrait or its driving was deleted */ }
  }

  refresh() {
    const { portrait, driving, landmarks } = this.scene ?? this.now;
    const label = landmarks.length ? `Landmarks of ${title(driving)} over ${title(portrait)}` : "No landmarks yet";
    this.landmarks.show(portrait, landmarks, label);
    this.driving.show(driving);
    this.faces.frames.hidden = this.mode !== "preview";
    this.bar.hidden = !landmarks.some((one) => one.frames > 1) && !(this.mode === "result" && this.output.seconds);
    const noted = this.mode === "result" ? (this.result.outcome?.notes ?? []).map((note) => note.sentence)
      : [portrait?.notes, driving?.notes, ...landmarks.map((one) => one.notes)].flatMap((notes) => notes ?? []);
    this.notes.replaceChildren(...[...new Set(noted)].map((note) => make("li", {}, note)));
  }

  step(now) {
    requestAnimationFrame((next) => this.step(next));
    const passed = Math.min(0.25, (now - this.last) / 1000);
    this.last = now;
    const { seconds } = this;
    if (!this.element.offsetParent) return this.pause(); // another tab is open
    if (!(seconds > 0)) return undefined;
    if (this.playing) this.time = (this.time + passed) % seconds;
    this.scrub.value = Math.round((1000 * this.time) / seconds);
    this.clock.textContent = `${clockTime(this.time)} / ${clockTime(seconds)}`;
    this.landmarks.at(this.time);
    const [first] = this.scene.landmarks;
    if (first) {
      const turn = first.forward / first.frame_rate; // where a loop turns back
      const back = this.time >= turn && first.forward < first.frames;
      this.driving.at(first.start + (back ? Math.max(0, 2 * turn - this.time) : this.time), this.playing && !back);
    }
    if (this.mode === "result") this.output.at(this.time, this.playing);
    return undefined;
  }

  pause() {
    for (const video of [this.driving.video, this.output.video]) if (!video.paused) video.pause();
  }
}
