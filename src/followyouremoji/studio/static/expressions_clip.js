// What the keyframes make: played as landmarks at once, as a clip, kept as a motion, and written to files and read.
import { getJson, sendJson } from "./api.js";
import { make } from "./dom.js";
import { pose } from "./expressions_pose.js";
import { latest } from "./expressions_stage.js";
import { Landmarks } from "./landmarks.js";

const POLL = 700; // ms

export class Clip {
  constructor(element, editor) {
    this.editor = editor;
    this.timeline = editor.timeline;
    this.stage = editor.stage;
    this.name = element.querySelector("[name=motion]");
    this.said = element.querySelector(".fye-said");
    this.problem = element.querySelector("[role=alert]");
    this.progress = element.querySelector("progress");
    this.video = element.querySelector("video");
    this.buttons = new Map([...element.querySelectorAll("[data-do]")].map((one) => [one.dataset.do, one]));
    this.ask = latest(() => this.#ask());
    this.seekPose = latest((seconds) => this.#seekPose(seconds));
    const doing = {
      clip: () => this.#make(),
      keep: () => this.#keep(),
      fyemotion: () => this.#save("fyemotion"),
      json: () => this.#save("json"),
    };
    for (const [name, act] of Object.entries(doing)) this.buttons.get(name).addEventListener("click", () => this.#trying(act));
    this.file = element.querySelector("[type=file]");
    this.file.addEventListener("change", () => this.#trying(() => this.#read()));
  }

  // What is asked about: keyframes as in their file, and what goes with them.
  #content() {
    const { keyframes, length, frameRate } = this.timeline;
    const listed = { frame_rate: frameRate, seconds: length, keyframes };
    return { portrait: this.editor.portrait, name: this.name.value.trim() || "Motion", keyframes: listed };
  }

  // Keyframes, their length or the portrait are others.
  changed() {
    this.stop();
    this.landmarks = undefined;
    const few = this.timeline.keyframes.length < 2;
    for (const name of ["clip", "keep", "fyemotion", "json"]) this.buttons.get(name).disabled = few;
    if (!few && this.editor.portrait) this.ask();
  }

  async #ask() {
    const asked = this.#content();
    try {
      const answer = await sendJson("keyframes/preview", asked);
      if (JSON.stringify(this.#content()) !== JSON.stringify(asked)) return;
      this.landmarks = new Landmarks(await answer.arrayBuffer());
      this.problem.textContent = "";
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }

  // The cursor was moved by hand: the landmarks follow, and when it is let go of, the pose does.
  seek(seconds, done) {
    this.stop();
    if (this.timeline.keyframes.length < 2) return;
    if (this.landmarks) this.stage.draw(this.landmarks, this.#frame(seconds));
    if (done) this.seekPose(seconds);
  }

  async #seekPose(seconds) {
    try {
      const { keyframes } = this.#content();
      const answer = await (await sendJson("keyframes/pose", { keyframes, seconds })).json();
      if (seconds === this.timeline.cursor) pose.replace(answer.pose);
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }

  #frame(seconds) {
    return this.landmarks.at(seconds);
  }

  async play() {
    if (this.running) return this.stop(true);
    if (!this.landmarks) await this.ask();
    if (!this.landmarks) return undefined;
    const { end, cursor } = this.timeline;
    const from = cursor < end ? cursor : 0;
    const began = performance.now();
    this.timeline.playing = true;
    const step = (now) => {
      const seconds = Math.min(from + Math.max(0, now - began) / 1000, end);
      this.timeline.move(seconds);
      this.stage.draw(this.landmarks, this.#frame(seconds));
      if (seconds >= end) this.stop(true);
      else this.running = requestAnimationFrame(step);
    };
    this.running = requestAnimationFrame(step);
    return undefined;
  }

  stop(settle = false) {
    if (!this.running) return;
    cancelAnimationFrame(this.running);
    this.running = undefined;
    this.timeline.playing = false;
    if (settle) this.timeline.letGo();
  }

  async #trying(act) {
    this.problem.textContent = "";
    this.said.textContent = "";
    try {
      await act();
    } catch (error) {
      this.problem.textContent = error.message;
    }
  }

  async #make() {
    const button = this.buttons.get("clip");
    button.disabled = true;
    try {
      const result = await (await sendJson("keyframes/result", this.#content())).json();
      await this.#follow(result.id);
    } finally {
      button.disabled = false;
      this.progress.hidden = true;
    }
  }

  async #follow(identity) {
    this.video.hidden = true;
    this.progress.hidden = false;
    this.progress.removeAttribute("value");
    for (;;) {
      const result = await getJson(`results/${identity}`);
      if (result.state === "done") return this.#show(result);
      if (!["waiting", "running"].includes(result.state)) throw new Error(result.error ?? `The clip was ${result.state}.`);
      this.#progress(result.job);
      await new Promise((wake) => setTimeout(wake, POLL));
    }
  }

  #progress(job) {
    if (!job) return;
    this.said.textContent = job.place > 0 ? `Waiting: ${job.place} before it.` : job.stage;
    if (job.total) Object.assign(this.progress, { max: job.total, value: job.done });
  }

  #show(result) {
    const { outcome } = result;
    const file = `/studio/results/${result.id}/file`;
    this.said.textContent = `${outcome.frames} frames in ${outcome.seconds.toFixed(1)} s. It is in the history, too. `;
    this.said.append(make("a", { href: file, download: result.file.replace(/^result/, result.title) }, "Download it"));
    this.video.src = file;
    this.video.hidden = false;
  }

  async #keep() {
    const motion = await (await sendJson("keyframes/material", this.#content())).json();
    this.said.textContent = `${motion.name} is among your motions in the tab Animate.`;
    window.dispatchEvent(new CustomEvent("fye-materials", { detail: motion }));
  }

  async #save(kind) {
    const answer = await sendJson(`keyframes/file?kind=${kind}`, this.#content());
    download(await answer.blob(), `${this.#content().name}.${kind}`);
  }

  async #read() {
    const [file] = this.file.files;
    if (!file) return;
    this.file.value = "";
    const answer = await sendJson(`keyframes/read?${new URLSearchParams({ name: file.name })}`, await file.text());
    this.editor.take(await answer.json());
  }
}

// Have the browser save a file.
export function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
