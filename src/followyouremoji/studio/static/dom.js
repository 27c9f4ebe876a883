// Pieces of the page: made without a word of HTML, so that no name that a visitor gives is read as such.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Icons: paths in a square of 24, as Gradio's own are drawn.
const ICONS = {
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  clip: "M3 6h12v12H3zM15 10l6-3v10l-6-3",
  camera: "M12 12m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M4 8h3l2-3h6l2 3h3v11H4z",
  play: "M7 4l13 8-13 8z",
  pause: "M8 5v14M16 5v14",
  sound: "M4 9v6h4l5 4V5L8 9zM16 9a4 4 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11",
  silent: "M4 9v6h4l5 4V5L8 9zM16 9l5 6M21 9l-5 6",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  sun: "M12 12m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  stack: "M4 8h12v12H4zM8 4h12v12",
  chevron: "M7 10l5 5 5-5",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "fye-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// A place where what went wrong is said, beside what caused it.
export function problem() {
  const element = make("div", { className: "fye-problem", role: "alert", hidden: true });
  return {
    element,
    say(sentence, ...more) {
      element.replaceChildren(make("p", {}, sentence), ...more);
      element.hidden = false;
    },
    clear() {
      element.replaceChildren();
      element.hidden = true;
    },
  };
}

// Tiles in place of some that are being asked for.
export function skeleton(count) {
  return Array.from({ length: count }, () => make("div", { className: "fye-skeleton" }));
}

export function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// A file's name as a title: bundled ones have no ending.
export function title(material) {
  return material.id.startsWith("bundled:") ? sentence(material.name.replaceAll("_", " ")) : material.name;
}

// How long something takes, in words that do not pretend to know better.
export function about(seconds) {
  if (seconds < 8) return "a few seconds";
  if (seconds < 55) return `about ${5 * Math.round(seconds / 5)} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes <= 1 ? "about a minute" : `about ${minutes} minutes`;
}

export function clockTime(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
}

export const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
