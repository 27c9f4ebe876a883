// Portrait and driving, chosen here or in another tab.

import { getJson } from "./api.js";
import { make, problem } from "./dom.js";
import { Picker } from "./picker.js";
import { change, material, restore, session, tell } from "./session.js";
import { openTab } from "./tabs.js";

export async function mount(element) {
  const pickers = { portrait: new Picker("portrait"), driving: new Picker("driving") };
  const wrong = problem();
  element.replaceChildren(make("div", { className: "fye-pickers" }, pickers.portrait.element, pickers.driving.element), wrong.element);

  // Of an event's {portrait: ID, driving: ID, settings: {}}, what is there; `open` the tab with it.
  const use = (open) => async ({ detail }) => {
    try {
      const changes = {};
      for (const kind of ["portrait", "driving"]) {
        const found = detail[kind] ? await material(detail[kind]) : null;
        if (found) changes[kind] = found;
      }
      const { faces = [], ...controls } = detail.settings ?? {};
      if (changes.portrait) changes.faces = faces;
      if (detail.settings) changes.controls = controls;
      change(changes);
      if (open) openTab("Animate");
      await Promise.all(Object.values(pickers).map((picker) => picker.refresh()));
    } catch (error) {
      wrong.say(error.message);
    }
  };
  window.addEventListener("fye-use-again", use(true));
  window.addEventListener("fye-material", ({ detail }) => use(true)({ detail: { [detail.kind]: detail.id } }));
  window.addEventListener("fye-points-kept", async ({ detail }) => {
    await use(false)({ detail });
    if (session.portrait?.id === detail.portrait) tell(["portrait"]); // its face is another now
  });

  try {
    const examples = await getJson("examples");
    await Promise.all(Object.values(pickers).map((picker) => picker.load(examples)));
    await restore();
  } catch (error) {
    wrong.say(error.message);
  }
}
