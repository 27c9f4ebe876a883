// What the keyframes make: played as landmarks at once, as a clip, kept as a motion, and written to files and read.
import { getJson, sendJson } from "./api.js";
import { about, calm, icon, make, problem } from "./dom.js";
import { pose } from "./expressions_pose.js";
import { latest } from "./expressions_stage.js";
import { Landmarks } from "./landmarks.js";

const POLL = 500; // ms
const UNDER_WAY = ["waiting", "running"];

export class Clip {
  constructor(element, editor) {
    this.editor = editor;
    this.timeline = editor.timeline;
    this.stage = editor.stage;
    this.name = element.querySelector("[name=motion]");
    this.said = element.querySelector(".fye-said");
    this.problem = problem();
    element.querySelector(".fye-wrong").replaceWith(this.problem.element);
    this.progress = element.querySelector("progress");
    this.working = element.querySelector(".fye-working");
    this.film = element.querySelector(".fye-film");
    this.buttons = new Map([...element.querySelectorAll("[data-do]")].map((one) => [one.dataset.do, one]));
    this.ask = latest(() => this.#ask());
    this.seekPose = latest((seconds) => this.#seekPose(seconds));
    const doing = {
      clip: () => this.#make(),
      cancel: () => sendJson(`results/${this.result}/cancel`, {}),
      keep: () => this.#keep(),
      fyemotion: () => this.#save("fyemotion"),
      json: () => this.#save("json"),
    };
    for (const [name, act] of Object.entries(doing)) this.buttons.get(name).addEventListener("click", () => this.#trying(act));
    this.file = element.querySelector("[type=file]");
    this.file.addEventListener("change", () => this.#trying(() => this.#read()));
    this.buttons.get("open").addEventListener("click", () => this.file.click());
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
    if (this.#allow() && this.editor.portrait) this.ask();
  }

  async #ask() {
    const asked = this.#content();
    try {
      const answer = await sendJson("keyframes/preview", asked);
      if (JSON.stringify(this.#content()) !== JSON.stringify(asked)) return;
      this.landmarks = new Landmarks(await answer.arrayBuffer());
      this.problem.clear();
    } catch (error) {
      this.problem.say(error.message);
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
      this.problem.say(error.message);
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
    this.problem.clear();
    this.said.textContent = "";
    try {
      await act();
    } catch (error) {
      this.problem.say(error.message);
    }
  }

  async #make() {
    const result = await (await sendJson("keyframes/result", this.#content())).json();
    await this.follow(result.id);
  }

  // Show a result, and how far it is; a page that is loaded anew goes on where it was.
  async follow(identity) {
    this.result = identity;
    this.editor.save();
    this.film.replaceChildren();
    this.said.textContent = "";
    this.#work(true);
    try {
      for (;;) {
        const result = await getJson(`results/${identity}`);
        if (result.state === "done") return this.#show(result);
        if (result.state === "cancelled") return (this.said.textContent = "The clip was cancelled.");
        if (!UNDER_WAY.includes(result.state)) throw new Error(result.error ?? "The studio was ended before the clip was finished. Make it again.");
        this.#progress(result.job);
        await new Promise((wake) => setTimeout(wake, POLL));
      }
    } finally {
      this.#work(false);
    }
  }

  #work(isUnderWay) {
    this.working.hidden = !isUnderWay;
    this.progress.removeAttribute("value");
    this.underWay = isUnderWay;
    this.#allow();
  }

  #allow() {
    const few = this.timeline.keyframes.length < 2;
    for (const name of ["keep", "fyemotion", "json"]) this.buttons.get(name).disabled = few;
    this.buttons.get("clip").disabled = few || this.underWay;
    return !few;
  }

  #progress(job) {
    if (!job) return;
    const left = job.seconds_left == null ? "" : `: ${about(job.seconds_left)} left`;
    this.said.textContent = job.place > 0 ? `Waiting: ${job.place} before it.` : `${job.stage || "Beginning"}${left} …`;
    if (job.total) this.progress.value = job.done / job.total;
  }

  #show({ id, file, title, outcome }) {
    const ending = file.split(".").pop();
    const address = `/studio/results/${id}/file`;
    this.said.textContent = `${outcome.frames} frames in ${Math.max(1, Math.round(outcome.seconds))} s. It is in the history, too.`;
    const film = make("video", { src: address, controls: true, loop: true, muted: true, autoplay: !calm.matches, playsInline: true, "aria-label": "The clip" });
    const link = make("a", { className: "fye-button", href: `${address}?as=${ending}`, download: `${title}.${ending}` }, icon("down"), "Download the clip");
    this.film.replaceChildren(film, link);
  }

  async #keep() {
    const motion = await (await sendJson("keyframes/material", this.#content())).json();
    const animate = () => window.dispatchEvent(new CustomEvent("fye-material", { detail: motion }));
    this.said.replaceChildren(`${motion.name} is kept among what moves portraits. `,
      make("button", { type: "button", className: "fye-quiet", onclick: animate }, "Animate with it"));
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
