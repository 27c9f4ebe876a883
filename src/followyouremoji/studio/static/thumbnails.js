// Little pictures to choose from. Motions are drawn, and play while one points at them, and where one is chosen.

import { getBytes } from "./api.js";
import { calm, make, title } from "./dom.js";
import { Landmarks } from "./landmarks.js";

const motions = new Map(); // landmarks by id, asked for once
const playing = new Set();

export function motionOf(id) {
  if (!motions.has(id)) {
    const asked = getBytes(`materials/${encodeURIComponent(id)}/motion`).then((buffer) => new Landmarks(buffer));
    asked.catch(() => motions.delete(id));
    motions.set(id, asked);
  }
  return motions.get(id);
}

// A button with a material's picture; `choose` is called with the material.
export function thumbnail(material, choose) {
  const name = title(material);
  const button = make("button", {
    type: "button", className: "fye-thumb", title: material.style ? `${name} (${material.style})` : name, "aria-label": name, "aria-pressed": "false",
    onclick: () => choose(material),
  });
  button.dataset.id = material.id;
  if (material.kind === "portrait") {
    const src = `/studio/materials/${encodeURIComponent(material.id)}/view`;
    button.append(make("img", { src, alt: "", loading: "lazy", draggable: false }));
  } else {
    button.append(moving(button, material));
  }
  button.append(make("span", {}, name));
  return button;
}

function moving(button, material) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const place = { canvas, button, landmarks: null, began: 0, over: false };
  const still = () => place.landmarks?.drawAlone(canvas, (place.still ??= place.landmarks.liveliest));
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    motionOf(material.id).then((landmarks) => {
      place.landmarks = landmarks;
      still();
    }, () => {}); // a tile without a picture can be chosen, too, and then says what is wrong
  }).observe(canvas);
  new ResizeObserver(still).observe(canvas);
  const over = (isOver) => () => {
    place.over = isOver;
    play(place, still);
  };
  for (const name of ["pointerenter", "focus"]) button.addEventListener(name, over(true));
  for (const name of ["pointerleave", "blur"]) button.addEventListener(name, over(false));
  new MutationObserver(() => play(place, still)).observe(button, { attributeFilter: ["aria-pressed"] });
  return canvas;
}

function play(place, still) {
  const chosen = place.button.getAttribute("aria-pressed") === "true" && !calm.matches;
  if (place.over || chosen) {
    if (playing.has(place)) return;
    place.began = performance.now();
    playing.add(place);
    if (playing.size === 1) requestAnimationFrame(step);
  } else if (playing.delete(place)) {
    still();
  }
}

function step(now) {
  for (const { canvas, landmarks, began } of playing) {
    if (!landmarks || !canvas.offsetParent) continue;
    landmarks.drawAlone(canvas, landmarks.at(((now - began) / 1000) % landmarks.seconds));
  }
  if (playing.size) requestAnimationFrame(step);
}
