// A result as a card: what it looks like, what it was made from, and what can be done with it.

import { sendJson } from "./api.js";
import { about, icon, make, problem } from "./dom.js";

export const UNDER_WAY = ["waiting", "running"];
const STATES = {
  waiting: "Waiting",
  running: "Being made",
  failed: "Failed",
  cancelled: "Cancelled",
  interrupted: "Interrupted: the studio was ended before it was finished",
};

// `changed` is called when something was done to the result; `defaults` are what untouched controls say.
export class Card {
  constructor(result, defaults, changed) {
    this.changed = changed;
    this.defaults = defaults;
    this.media = make("div", { className: "fye-card-media" });
    this.state = make("p", { className: "fye-hint" });
    this.bar = make("progress", { max: 1, "aria-label": result.title });
    this.buttons = make("div", { className: "fye-buttons" });
    this.problem = problem();
    const details = [when(result.created), said(result, defaults)].filter(Boolean).join(" · ");
    this.element = make("article", { className: "fye-result", "aria-label": result.title }, this.media,
      make("h3", {}, result.title), make("p", { className: "fye-hint" }, details), this.state, this.bar, this.buttons, this.problem.element);
    this.update(result);
  }

  update(result) {
    const before = this.result?.state;
    this.result = result;
    this.state.textContent = words(result);
    this.state.hidden = !this.state.textContent;
    this.bar.hidden = result.state !== "running";
    if (result.job?.total) this.bar.value = result.job.done / result.job.total;
    else this.bar.removeAttribute("value");
    if (before === result.state) return;
    this.media.replaceChildren(shown(result));
    this.offer();
    if (result.state === "failed" && result.error) this.problem.say(result.error);
  }

  offer() {
    const { result } = this;
    const path = `results/${result.id}`;
    const act = (name, work) => make("button", { type: "button", className: "fye-button", onclick: () => this.doing(work) }, name);
    const buttons = [];
    if (UNDER_WAY.includes(result.state)) buttons.push(act("Cancel", () => sendJson(`${path}/cancel`, {})));
    if (result.state === "done") {
      const ending = result.file.split(".").pop();
      buttons.push(make("a", { className: "fye-button", href: `/studio/${path}/file?as=${ending}`, download: `${result.title}.${ending}` },
        icon("down"), "Download"));
    }
    if (["failed", "cancelled", "interrupted"].includes(result.state)) {
      buttons.push(act("Begin again", () => sendJson(`${path}/again`, {})));
    }
    buttons.push(act("Use again", () => window.dispatchEvent(new CustomEvent(isAnimation(result) ? "fye-use-again" : "fye-sticker-again", { detail: result }))));
    if (!UNDER_WAY.includes(result.state)) {
      buttons.push(confirmed("Delete", "Delete it?", () => this.doing(() => sendJson(path, {}, { method: "DELETE" }))));
    }
    this.buttons.replaceChildren(...buttons);
  }

  async doing(work) {
    this.problem.clear();
    try {
      await work();
      this.changed();
    } catch (error) {
      this.problem.say(error.message);
    }
  }
}

// A button that asks before it acts.
export function confirmed(name, question, act) {
  const place = make("span", { className: "fye-confirm" });
  const begin = make("button", { type: "button", className: "fye-button" }, name);
  const yes = make("button", { type: "button", className: "fye-button fye-danger" }, name);
  const no = make("button", { type: "button", className: "fye-button" }, "Keep");
  const ask = (asking) => {
    place.replaceChildren(...(asking ? [make("span", { role: "status" }, question), yes, no] : [begin]));
    (asking ? no : begin).focus();
  };
  begin.addEventListener("click", () => ask(true));
  no.addEventListener("click", () => ask(false));
  yes.addEventListener("click", () => { yes.disabled = true; act(); });
  place.append(begin);
  return place;
}

// A picture, or a clip that plays while one points at it or has chosen it.
function shown(result) {
  const view = `/studio/materials/${encodeURIComponent(result.portrait)}/view`;
  if (result.state !== "done") return make("img", { src: view, alt: "", loading: "lazy", className: "fye-unfinished" });
  const file = result.kind === "pack" ? `/studio/stickers/${result.id}/sheet` : `/studio/results/${result.id}/file`;
  if (!/\.(mp4|webm)$/.test(result.file)) return make("img", { src: file, alt: result.title, loading: "lazy" });
  const clip = make("video", { src: file, poster: view, preload: "none", loop: true, muted: true, playsInline: true, tabIndex: 0, "aria-label": result.title });
  // Its controls would hide the face, so they come when they are wanted.
  for (const name of ["pointerenter", "focus"]) clip.addEventListener(name, () => { clip.controls = true; });
  for (const name of ["pointerleave", "blur"]) clip.addEventListener(name, () => { clip.controls = clip.matches(":focus"); });
  clip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && clip.play().catch(() => {}));
  clip.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && clip.pause());
  return clip;
}

function words(result) {
  const { job, outcome } = result;
  if (result.state === "done") {
    const length = outcome.frames === 1 ? "one picture" : `${(outcome.frames / outcome.frame_rate).toFixed(1)} s`;
    if (result.kind === "pack") return `${outcome.count} stickers, made in ${about(outcome.seconds)}`;
    return `${length} of ${outcome.size[0]}×${outcome.size[1]}, made in ${about(outcome.seconds)}`;
  }
  if (result.state === "waiting" && job?.place) return `Waiting: ${job.place} before it`;
  if (result.state === "running" && job?.stage) return `${job.stage} …`;
  return result.state === "failed" ? "" : STATES[result.state];
}

function isAnimation({ kind }) {
  return kind === "animation";
}

function when(seconds) {
  return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

// What controls said that nobody leaves as they are; of a sticker, its caption.
function said(result, defaults) {
  const { settings } = result;
  if (!isAnimation(result)) return settings.caption;
  const isChanged = ([name, value]) => name in defaults && JSON.stringify(value) !== JSON.stringify(defaults[name]);
  const inWords = ([name, value]) => (name === "faces" ? `${value.length} faces` : `${name.replaceAll("_", " ")} ${value}`);
  return Object.entries(settings).filter(isChanged).map(inWords).join(", ");
}
