// The stage, the button that animates, and what Gradio's controls say.

import { make } from "./dom.js";
import { Job } from "./job.js";
import { change, session, watch } from "./session.js";
import { Stage } from "./stage.js";

export function mount(element, trigger) {
  const stage = new Stage();
  element.replaceChildren(make("div", { className: "fye-card" }, stage.element, new Job(stage).element, stage.notes));

  let said = "{}"; // by Gradio's controls, or to them
  window.addEventListener("fye-controls", ({ detail }) => {
    said = JSON.stringify(detail);
    change({ controls: detail });
  });
  watch((names) => {
    if (!names.has("controls") || JSON.stringify(session.controls) === said) return;
    said = JSON.stringify(session.controls);
    window.fyeControls = session.controls;
    trigger("submit"); // see tabs/animate.py
  });
}
