// The button that animates, how far an animation is, and what becomes of it.

import { getBlob, getJson, sendJson } from "./api.js";
import { about, icon, make, problem } from "./dom.js";
import { change, session, watch } from "./session.js";
import { wanted } from "./stage.js";

const OFTEN = 333; // milliseconds between questions
const SELDOM = 2000; // where nobody looks
const UNDER_WAY = ["waiting", "running"];
const CLIPS = { mp4: "MP4", gif: "GIF", webp: "WebP", webm: "WebM" };
const PICTURES = { png: "PNG", jpg: "JPEG", webp: "WebP" };

export class Job {
  constructor(stage) {
    this.stage = stage;
    this.following = null;
    this.button = make("button", { type: "button", className: "fye-button fye-primary fye-animate", disabled: true, onclick: () => this.animate() }, "Animate");
    this.why = make("p", { className: "fye-hint fye-why", id: "fye-why-not", hidden: true });
    this.button.setAttribute("aria-describedby", this.why.id);
    this.state = make("p", { className: "fye-state", role: "status" });
    this.bar = make("progress", { max: 1, "aria-label": "Animation" });
    this.cancel = make("button", { type: "button", className: "fye-button", onclick: () => this.giveUp() }, icon("close"), "Cancel");
    this.progress = make("div", { className: "fye-progress", hidden: true }, this.state, this.bar, this.cancel);
    this.problem = problem();
    this.downloads = make("div", { className: "fye-downloads", hidden: true });
    this.element = make("div", { className: "fye-job" }, this.button, this.why, this.progress, this.problem.element, this.downloads);
    watch((names) => this.changed(names));
  }

  changed(names) {
    const { portrait, driving } = session;
    this.why.textContent = !portrait ? "Choose a portrait first." : !driving ? "Choose what moves it first."
      : portrait.faces ? "" : `No face was found in ${portrait.name}: place its points first.`;
    this.why.hidden = !this.why.textContent;
    this.button.disabled = !this.why.hidden;
    if (names.has("result")) this.follow(session.result);
    else if (["portrait", "driving", "faces", "controls"].some((name) => names.has(name))) this.problem.clear();
  }

  async animate() {
    this.button.disabled = true;
    this.problem.clear();
    try {
      const result = await (await sendJson("results", wanted())).json();
      change({ result: result.id });
    } catch (error) {
      this.problem.say(error.message);
    } finally {
      this.button.disabled = false;
    }
  }

  async giveUp() {
    this.cancel.disabled = true;
    try {
      await sendJson(`results/${this.following}/cancel`, {});
    } catch (error) {
      this.problem.say(error.message);
    }
  }

  // Show a result until it is finished, or another is followed.
  async follow(id) {
    if (this.following === id) return;
    this.following = id;
    this.cancel.disabled = false;
    if (id === null) this.settle(null);
    while (this.following === id && id !== null) {
      let result = null;
      try {
        result = await getJson(`results/${id}`);
      } catch (error) {
        if (error.status !== 404) this.problem.say(error.message); // the studio may come back
        else if (this.following === id) return change({ result: null });
      }
      if (this.following !== id) return undefined;
      if (result) {
        this.stage.show(result.state === "done" || UNDER_WAY.includes(result.state) ? result : null);
        this.tell(result);
        if (!UNDER_WAY.includes(result.state)) return this.settle(result);
      }
      await new Promise((resolve) => setTimeout(resolve, document.hidden ? SELDOM : OFTEN));
    }
    return undefined;
  }

  tell(result) {
    const job = result.job ?? {};
    const underWay = UNDER_WAY.includes(result.state);
    this.button.hidden = underWay;
    this.progress.hidden = !underWay;
    if (!underWay) return;
    this.problem.clear();
    this.downloads.hidden = true;
    if (result.state === "waiting" && job.place > 0) {
      this.state.textContent = job.place === 1 ? "One animation is made before yours." : `${job.place} animations are made before yours.`;
    } else {
      const left = job.seconds_left === null || job.seconds_left === undefined ? "" : `: ${about(job.seconds_left)} left`;
      this.state.textContent = `${job.stage || "Beginning"}${left} …`;
    }
    if (job.total) this.bar.value = job.done / job.total;
    else this.bar.removeAttribute("value");
  }

  settle(result) {
    this.button.hidden = false;
    this.progress.hidden = true;
    this.downloads.hidden = result?.state !== "done";
    if (result?.state === "done") this.offer(result);
    else if (result?.state === "failed") this.problem.say(result.error);
    else if (result?.state === "interrupted") this.problem.say("The studio was ended before this animation was finished. Animate again.");
  }

  offer(result) {
    const kinds = result.file.endsWith(".png") ? PICTURES : CLIPS;
    const beside = make("input", { type: "checkbox" });
    const status = make("span", { role: "status" });
    const wrong = problem();
    const buttons = Object.entries(kinds).map(([kind, name]) => make("button", {
      type: "button", className: "fye-button", "aria-label": `Download as ${name}`,
      onclick: async () => {
        wrong.clear();
        status.textContent = `Making the ${name} …`;
        buttons.forEach((button) => { button.disabled = true; });
        try {
          await save(result, kind, beside.checked);
        } catch (error) {
          wrong.say(error.message);
        }
        status.textContent = "";
        buttons.forEach((button) => { button.disabled = false; });
      },
    }, icon("down"), name));
    const { frames, size, seconds } = result.outcome;
    const made = `${frames === 1 ? "One picture" : `${frames} frames`} of ${size[0]}×${size[1]} pixels, made in ${Math.max(1, Math.round(seconds))} s.`;
    this.downloads.replaceChildren(make("div", { className: "fye-buttons" }, make("h3", {}, "Take it home"), ...buttons),
      make("div", { className: "fye-buttons" }, make("label", {}, beside, " with driving and landmarks beside it"),
        make("p", { className: "fye-hint" }, made)), status, wrong.element);
  }
}

async function save(result, kind, beside) {
  const blob = await getBlob(`results/${result.id}/file?as=${kind}&beside=${beside}`);
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: `${result.title}${beside ? ", beside" : ""}.${kind}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
