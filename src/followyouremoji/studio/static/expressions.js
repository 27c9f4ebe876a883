// The tab Expressions: a portrait's face is posed; poses are drawn, made into pictures and put on a timeline.
import { getJson } from "./api.js";
import { Clip } from "./expressions_clip.js";
import { Named } from "./expressions_named.js";
import { Portraits } from "./expressions_portraits.js";
import { pose, Sliders, Steps } from "./expressions_pose.js";
import { Stage } from "./expressions_stage.js";
import { Timeline } from "./timeline.js";

const CALM = 150; // ms without a change before a picture is made; while a pointer is down none is

export async function mount(element, trigger) {
  const problem = element.querySelector(".fye-problem");
  const tell = (sentence) => { problem.textContent = sentence; };
  try {
    await open(element, trigger, tell);
  } catch (error) {
    tell(error.message);
  }
}

async function open(element, trigger, tell) {
  const find = (name) => element.querySelector(name);
  const tables = await getJson("poses");
  const stage = new Stage(element, tell);
  const names = tables.sliders.map((slider) => slider.name);
  new Sliders(names, (values) => {
    window.fyeSliders = values;
    trigger("submit");
  });
  new Named(element, tables);

  let portrait;
  const content = () => ({ portrait, keyframes: timeline.state.keyframes, length: timeline.length });
  const timeline = new Timeline(find(".fye-timeline"), tables, {
    select: (keyframe) => keyframe && pose.replace(keyframe.pose),
    add: (seconds) => timeline.put(seconds, { ...pose.amounts }),
    change: () => clip.changed(),
    settle: () => keep(),
    seek: (seconds, done) => clip.seek(seconds, done),
    play: () => clip.play(),
  });
  const clip = new Clip(element, content, timeline, stage, tell);

  // A picture follows when the user has let go.
  let down = false;
  let calm;
  const makeSoon = () => {
    clearTimeout(calm);
    if (!down) calm = setTimeout(() => { stage.askPicture(pose.amounts); keep(); }, CALM);
  };
  window.addEventListener("pointerdown", () => { down = true; });
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, () => { if (down) { down = false; if (waiting) makeSoon(); } });
  }
  let waiting = false;
  pose.addEventListener("change", () => {
    waiting = true;
    if (timeline.selected) {
      timeline.selected.pose = { ...pose.amounts };
      clip.changed();
    }
    stage.askLandmarks(pose.amounts);
    makeSoon();
  });
}
