// The button that brings a group of sliders to rest.
import { pose } from "./expressions_pose.js";

export function mount(element) {
  const group = element.closest("[id^=fye-reset-]").id.replace("fye-reset-", "");
  element.querySelector("button").addEventListener("click", () => {
    const names = [...pose.sliders.values()].filter((slider) => slider.group === group).map((slider) => slider.name);
    pose.change(Object.fromEntries(names.map((name) => [name, 0])));
  });
}
