// The tab Expressions: a portrait's face is posed; poses are drawn, made into pictures and put on a timeline.
import { getJson, sendJson } from "./api.js";
import { Choice } from "./choice.js";
import { problem } from "./dom.js";
import { Clip, download } from "./expressions_clip.js";
import { Named } from "./expressions_named.js";
import { pose, Sliders, Steps } from "./expressions_pose.js";
import { Stage } from "./expressions_stage.js";
import { onShown } from "./tabs.js";
import { Timeline } from "./timeline.js";

const CALM = 150; // ms without a change until a picture is made
const DRAFT = "drafts/expressions";
const FIRST = "bundled:ada";

export function mount(element, trigger) {
  const editor = new Editor(element, trigger);
  onShown(element.querySelector(".fye-pair"), () => editor.shown());
}

class Editor {
  constructor(element, trigger) {
    Object.assign(this, { element, trigger });
    this.choice = new Choice(element.querySelector(".fye-choice"), "portrait", "The portrait that is posed");
    const wrong = problem();
    element.querySelector(".fye-wrong").replaceWith(wrong.element);
    this.tell = (sentence) => (sentence ? wrong.say(sentence) : wrong.clear());
    this.stage = new Stage(element, this.tell);
    this.buttons = new Map([...element.querySelectorAll("[data-do]")].map((one) => [one.dataset.do, one]));
  }

  // The tab has come into view.
  async shown() {
    if (this.portrait) return this.choice.refresh();
    try {
      await this.#open();
    } catch (error) {
      this.tell(error.message);
    }
    return undefined;
  }

  async #open() {
    const [tables, draft] = await Promise.all([getJson("poses"), getJson(DRAFT), this.choice.refresh()]);
    pose.sliders = new Map(tables.sliders.map((slider) => [slider.name, slider]));
    new Sliders((values) => {
      window.fyeSliders = values;
      this.trigger("submit");
    });
    new Named(this.element, tables);
    this.timeline = new Timeline(this.element.querySelector(".fye-timeline"), tables, {
      select: (keyframe) => pose.replace(keyframe.pose),
      add: (seconds) => this.timeline.put(seconds, { ...pose.amounts }),
      change: () => this.clip.changed(),
      settle: () => this.#keep(),
      seek: (seconds, done) => this.clip.seek(seconds, done),
      play: () => this.clip.play(),
    });
    this.clip = new Clip(this.element.querySelector(".fye-motion"), this);
    this.portrait = this.choice.find(draft.portrait) ? draft.portrait : FIRST;
    this.choice.choose(this.portrait);
    this.#restore({ pose: {}, ...this.timeline.state, ...draft });
    this.steps = new Steps(this.state);
    this.#offer();
    this.#listen();
    await this.#sit(this.portrait);
    if (draft.result) this.clip.follow(draft.result).catch(() => {}); // it may have been deleted
  }

  // All that is undone, redone and kept.
  get state() {
    return { portrait: this.portrait, pose: pose.amounts, ...this.timeline.state };
  }

  #restore({ pose: amounts, ...times }) {
    this.timeline.set(times);
    pose.replace(amounts);
    this.clip.changed();
  }

  // Show keyframes of a file.
  take({ keyframes, seconds, frame_rate: frameRate }) {
    const length = seconds ?? keyframes.at(-1).seconds + 1 / frameRate;
    this.#restore({ pose: keyframes[0].pose, keyframes, length, frameRate });
    this.#keep();
  }

  async #sit(portrait) {
    this.portrait = portrait;
    this.tell("");
    this.clip.changed();
    await this.stage.show(portrait);
    if (this.portrait !== portrait) return;
    this.stage.askLandmarks(pose.amounts);
    this.stage.askPicture(pose.amounts);
    this.#keep();
  }

  #listen() {
    const doing = {
      undo: () => this.#step(-1),
      redo: () => this.#step(1),
      reset: () => pose.replace({}),
      picture: () => this.#download(),
    };
    for (const [name, act] of Object.entries(doing)) this.buttons.get(name).addEventListener("click", act);
    pose.addEventListener("change", () => this.#posed());
    this.choice.addEventListener("chosen", ({ detail }) => detail !== this.portrait && this.#sit(detail));
    window.addEventListener("fye-points-kept", ({ detail }) => detail.portrait === this.portrait && this.#sit(this.portrait));
    window.addEventListener("pointerdown", () => { this.held = true; });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => this.#released());
    this.element.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.type === "text") return; // which undoes by itself
      event.preventDefault();
      this.#step(event.shiftKey ? 1 : -1);
    });
  }

  #posed() {
    this.clip.stop();
    const { selected } = this.timeline;
    if (selected && JSON.stringify(selected.pose) !== JSON.stringify(pose.amounts)) {
      selected.pose = { ...pose.amounts };
      this.clip.changed();
    }
    this.stage.askLandmarks(pose.amounts);
    this.#makeSoon();
  }

  // The picture follows when nothing has moved for a moment and no pointer is down.
  #makeSoon() {
    clearTimeout(this.calm);
    this.moved = true;
    if (this.held) return;
    this.calm = setTimeout(() => {
      this.moved = false;
      this.stage.askPicture(pose.amounts);
      this.#keep();
    }, CALM);
  }

  #released() {
    this.held = false;
    if (this.moved) this.#makeSoon();
  }

  #keep() {
    if (!this.steps?.keep(this.state)) return;
    this.#offer();
    this.save();
  }

  // Have the studio keep what is shown, for a page that is loaded anew.
  save() {
    clearTimeout(this.saving);
    const keep = () => sendJson(DRAFT, { ...this.state, result: this.clip.result ?? null }, { method: "PUT" });
    this.saving = setTimeout(() => keep().catch((error) => this.tell(error.message)), 400);
  }

  #step(by) {
    if (!this.steps.can(by)) return;
    const state = this.steps.go(by);
    if (this.choice.find(state.portrait)) this.choice.choose(state.portrait);
    this.#restore(state);
    this.#offer();
  }

  #offer() {
    this.buttons.get("undo").disabled = !this.steps.can(-1);
    this.buttons.get("redo").disabled = !this.steps.can(1);
  }

  async #download() {
    const button = this.buttons.get("picture");
    button.disabled = true;
    try {
      const answer = await sendJson("pose/file", { portrait: this.portrait, pose: pose.amounts });
      download(await answer.blob(), "portrait.png");
    } catch (error) {
      this.tell(error.message);
    } finally {
      button.disabled = false;
    }
  }
}
