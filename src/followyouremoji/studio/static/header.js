// The switch between light and dark. What was chosen holds for this browser, unless the address asks for a theme.

import { icon } from "./dom.js";

const KEPT = "fye-theme";

export function mount(element) {
  const button = element.querySelector(".fye-theme");
  const isDark = () => document.body.classList.contains("dark");
  const show = () => {
    const other = isDark() ? "light" : "dark";
    button.setAttribute("aria-label", `Switch to the ${other} theme`);
    button.title = `Switch to the ${other} theme`;
    button.replaceChildren(icon(isDark() ? "sun" : "moon"));
  };
  const kept = localStorage.getItem(KEPT);
  if (kept && !new URLSearchParams(location.search).has("__theme")) document.body.classList.toggle("dark", kept === "dark");
  button.addEventListener("click", () => {
    document.body.classList.toggle("dark");
    localStorage.setItem(KEPT, isDark() ? "dark" : "light");
  });
  new MutationObserver(show).observe(document.body, { attributeFilter: ["class"] });
  show();
}
