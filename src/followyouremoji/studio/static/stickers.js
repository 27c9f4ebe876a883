// The tab Stickers: what a sticker is made of is chosen, how it looks is seen at once, and the file as it was written.

import { getJson, sendJson } from "./api.js";
import { Choice } from "./choice.js";
import { about, icon, make, problem, sentence } from "./dom.js";
import { latest } from "./expressions_stage.js";
import { change, session, watch } from "./session.js";
import { Grounds, written } from "./stickers_written.js";
import { onShown, openTab } from "./tabs.js";

const DRAFT = "drafts/stickers";
const FIRST = "bundled:smile";
const OFTEN = 333; // milliseconds between questions
const SAVED_AFTER = 400; // without a change
const UNDER_WAY = ["waiting", "running"];
const ABOUT = { start: "driving", stop: "driving", duration: "driving", face: "portrait", points: "portrait" }; // settings by which control stands for them
const STILL = "Not made yet: the portrait at rest.";

export function mount(element) {
  const tab = new Stickers(element);
  onShown(element, () => tab.shown());
}

class Stickers {
  constructor(element) {
    Object.assign(this, { element, result: null, following: null, problems: new Map() });
    this.choices = {
      portrait: new Choice(element.querySelector(".fye-sticker-portrait .fye-choice"), "portrait", "The portrait of the sticker"),
      driving: new Choice(element.querySelector(".fye-sticker-motion .fye-choice"), "driving", "What the sticker does"),
    };
    for (const place of element.querySelectorAll(".fye-wrong")) {
      const wrong = problem();
      if (place.id) wrong.element.id = place.id;
      this.problems.set(place.dataset.setting, wrong);
      place.replaceWith(wrong.element);
    }
    for (const [kind, choice] of Object.entries(this.choices)) this.problems.set(kind, choice.problem);
    this.form = element.querySelector("form");
    this.limits = element.querySelector(".fye-limits");
    this.packFor = element.querySelector(".fye-pack-for");
    this.grounds = new Grounds(element.querySelector(".fye-grounds"));
    this.state = element.querySelector(".fye-shown");
    this.working = element.querySelector(".fye-sticker-working");
    this.said = this.working.querySelector(".fye-said");
    this.bar = this.working.querySelector("progress");
    this.written = element.querySelector(".fye-written");
    this.buttons = new Map([...element.querySelectorAll("[data-do]")].map((one) => [one.dataset.do, one]));
    this.buttons.get("cancel").prepend(icon("close"));
    this.preview = latest(() => this.#preview());
    this.#listen();
  }

  #listen() {
    const doing = {
      make: () => this.#begin("stickers", this.wanted),
      pack: () => this.#begin("stickers/packs", this.wantedPack),
      cancel: () => sendJson(`results/${this.following}/cancel`, {}),
    };
    for (const [name, act] of Object.entries(doing)) this.buttons.get(name).addEventListener("click", () => this.#trying(act));
    this.form.addEventListener("input", () => this.changed());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault(); // Enter in the caption
      this.buttons.get("make").click();
    });
    this.choices.portrait.addEventListener("chosen", ({ detail }) => {
      const material = this.choices.portrait.find(detail);
      if (material && material.id !== session.portrait?.id) change({ portrait: material, faces: [] });
    });
    this.choices.driving.addEventListener("chosen", () => this.changed());
    watch((names) => names.has("portrait") && this.#sit());
    window.addEventListener("fye-sticker-again", ({ detail }) => this.#trying(() => this.use(detail)));
  }

  // The tab has come into view.
  shown() {
    return this.#trying(async () => {
      await Promise.all(Object.values(this.choices).map((choice) => choice.refresh()));
      this.#sit();
      if (this.draft) return;
      this.draft = await getJson(DRAFT);
      this.#set(this.draft);
      if (this.draft.result) this.follow(this.draft.result).catch(() => {}); // it may have been deleted
    });
  }

  // Show what a sticker was made with, and it.
  async use({ id, portrait, driving, settings }) {
    openTab("Stickers");
    await this.shown();
    if (this.choices.portrait.find(portrait)) this.choices.portrait.choose(portrait);
    this.#set({ driving, settings });
    await this.follow(id);
  }

  #set({ driving, settings = {} }) {
    for (const [name, value] of Object.entries(settings)) {
      const control = this.form.elements[name];
      if (!control) continue;
      if (control.type === "checkbox") control.checked = value;
      else control.value = value; // of radio buttons, too
    }
    this.choices.driving.choose(this.choices.driving.find(driving) ? driving : FIRST);
  }

  // The portrait is another, or its face is.
  #sit() {
    const { portrait } = session;
    if (!portrait || !this.choices.portrait.materials) return;
    if (this.choices.portrait.find(portrait.id) && !this.choices.portrait.chosen.has(portrait.id)) this.choices.portrait.choose(portrait.id);
    this.changed();
  }

  get driving() {
    return [...this.choices.driving.chosen][0] ?? null;
  }

  get settings() {
    const { service, backdrop, outline, caption } = this.form.elements;
    return { service: service.value, backdrop: backdrop.value, outline: outline.checked, caption: caption.value.trim() };
  }

  get wanted() {
    return { portrait: session.portrait.id, driving: this.driving, settings: this.settings };
  }

  get wantedPack() {
    return { portrait: session.portrait.id, settings: this.settings };
  }

  // Something is chosen that was not before.
  changed() {
    const { portrait } = session;
    const service = this.form.querySelector("[name=service]:checked");
    this.limits.textContent = service.dataset.words;
    this.packFor.textContent = service.labels[0].textContent.trim();
    if (!portrait || !this.driving) return;
    this.#clear();
    if (portrait.faces === 0) {
      const fix = () => window.dispatchEvent(new CustomEvent("fye-fix-points", { detail: { portrait: portrait.id } }));
      this.problems.get("portrait").say(`No face was found in ${portrait.name}. Show where its eyes, nose and mouth are, and it can be a sticker.`,
        make("button", { type: "button", className: "fye-button", onclick: fix }, "Place points"));
    }
    this.#allow();
    this.#show();
    this.save();
  }

  #allow() {
    const able = Boolean(session.portrait?.faces && this.driving) && !this.following;
    for (const name of ["make", "pack"]) this.buttons.get(name).disabled = !able;
  }

  // Whether a result was made of what is chosen now.
  #isOfNow({ kind, portrait, driving, settings }) {
    const same = portrait === session.portrait.id && JSON.stringify(settings) === JSON.stringify(this.settings);
    return same && (kind === "pack" || driving === this.driving);
  }

  // On the grounds: the sticker that was made of this, or else the portrait at rest as it would look.
  #show() {
    const { result } = this;
    const isMade = result?.state === "done" && this.#isOfNow(result);
    this.written.hidden = !isMade;
    if (!isMade) {
      this.preview();
      return;
    }
    this.state.textContent = "";
    this.grounds.wait(false);
    this.grounds.play(result);
    this.written.replaceChildren(...written(result));
  }

  async #preview() {
    const asked = JSON.stringify(this.wantedPack);
    if (!session.portrait.faces) return this.grounds.clear();
    this.state.textContent = "Looking at the portrait …";
    this.grounds.wait(true);
    try {
      const answer = await sendJson("stickers/preview", this.wantedPack);
      const picture = await answer.blob();
      if (answer.status === 204) return undefined; // asked for anew in another window
      if (asked === JSON.stringify(this.wantedPack) && this.written.hidden) {
        this.grounds.still(picture);
        this.grounds.wait(Boolean(this.following));
        this.state.textContent = STILL;
      }
    } catch (error) {
      this.state.textContent = "";
      if (asked === JSON.stringify(this.wantedPack)) this.#blame(error);
    }
    return undefined;
  }

  // Have the studio keep what is chosen, for a page that is loaded anew.
  save() {
    if (!this.draft) return;
    clearTimeout(this.saving);
    const kept = { driving: this.driving, settings: this.settings, result: this.following ?? this.result?.id ?? null };
    this.saving = setTimeout(() => sendJson(DRAFT, kept, { method: "PUT" }).catch(() => {}), SAVED_AFTER);
  }

  async #trying(act) {
    try {
      await act();
    } catch (error) {
      this.#blame(error);
    }
  }

  // Say what is wrong beside the control that it is about.
  #blame({ message, settings = [] }) {
    const named = settings.map((name) => ABOUT[name] ?? name).find((name) => this.problems.has(name)) ?? "";
    const { element } = this.problems.get(named);
    this.problems.get(named).say(sentence(message));
    if (named === "caption") this.form.elements.caption.setAttribute("aria-invalid", "true");
    element.scrollIntoView({ block: "nearest" });
  }

  #clear() {
    for (const wrong of this.problems.values()) wrong.clear();
    this.form.elements.caption.removeAttribute("aria-invalid");
  }

  async #begin(path, content) {
    this.#clear();
    for (const name of ["make", "pack"]) this.buttons.get(name).disabled = true;
    try {
      const { id } = await (await sendJson(path, content)).json();
      await this.follow(id);
    } finally {
      this.#allow();
    }
  }

  // Show how far a result is, until it is finished or another is followed.
  async follow(id) {
    this.following = id;
    this.save();
    this.buttons.get("cancel").disabled = false;
    try {
      for (;;) {
        const result = await getJson(`results/${id}`);
        if (this.following !== id) return;
        if (!UNDER_WAY.includes(result.state)) return this.#settle(result);
        this.#tell(result);
        await new Promise((wake) => setTimeout(wake, OFTEN));
        if (this.following !== id) return;
      }
    } catch (error) {
      if (this.following === id) this.#settle(null);
      throw error;
    }
  }

  #tell({ kind, state, job }) {
    this.#work(true);
    if (!job) return;
    const left = job.seconds_left == null || kind === "pack" ? "" /* that of one sticker */ : `: ${about(job.seconds_left)} left`;
    this.said.textContent = state === "waiting" && job.place > 0 ? `Waiting: ${job.place} before it.` : `${job.stage || "Beginning"}${left} …`;
    if (job.total) this.bar.value = job.done / job.total;
    else this.bar.removeAttribute("value");
  }

  #work(isUnderWay) {
    this.working.hidden = !isUnderWay;
    this.buttons.get("make").hidden = isUnderWay;
    this.grounds.wait(isUnderWay);
    this.#allow();
  }

  #settle(result) {
    Object.assign(this, { result, following: null });
    this.#work(false);
    if (session.portrait && this.driving) this.#show();
    if (result?.state === "failed") this.#blame({ message: result.error, settings: result.error_settings });
    else if (result?.state === "interrupted") this.#blame({ message: "The studio was ended before it was finished. Make it again." });
    else if (result?.state === "cancelled") this.state.textContent = "Cancelled.";
    this.save();
  }
}
