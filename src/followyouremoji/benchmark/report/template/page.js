"use strict";

// Choices: of the panels of one name, that of the chosen value is shown.
for (const select of document.querySelectorAll("select[data-pick]")) {
  const id = select.dataset.pick;
  const panels = document.querySelectorAll(`[data-panel="${id}"]`);
  const choose = () => panels.forEach((panel) => { panel.hidden = panel.dataset.value !== select.value; });
  if (panels.length) { select.addEventListener("change", choose); choose(); }
}

// Clips: a hidden video of all tiles, drawn tile by tile; it plays while it is in view.
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const players = new Map();

function makePlayer(figure) {
  const { across, side, frames, rate } = Object.fromEntries(Object.entries(figure.dataset).map(([key, text]) => [key, Number(text)]));
  const video = figure.querySelector("video");
  const tiles = [...figure.querySelectorAll("canvas")].map((canvas) => ({ context: canvas.getContext("2d"), index: Number(canvas.dataset.tile) }));
  const button = figure.querySelector(".play"), seek = figure.querySelector(".seek"), output = figure.querySelector("output");
  const player = { figure, video, wanted: !still, seen: false };

  function draw() {
    if (video.readyState < 2) return;
    for (const { context, index } of tiles)
      context.drawImage(video, side * (index % across), side * Math.floor(index / across), side, side, 0, 0, side, side);
    const frame = Math.min(frames - 1, Math.floor(video.currentTime * rate + 1e-3));
    seek.value = frame;
    output.textContent = `${frame + 1} / ${frames}`;
  }
  function follow() {
    draw();
    if (!video.paused) requestAnimationFrame(follow);
  }
  player.update = () => {
    const run = player.wanted && player.seen && !figure.hidden;
    if (run && video.paused) video.play().catch(() => {});
    if (!run && !video.paused) video.pause();
    button.textContent = player.wanted ? "Pause" : "Play";
    button.setAttribute("aria-label", button.textContent);
  };
  video.controls = false;
  video.addEventListener("loadeddata", draw);
  video.addEventListener("seeked", draw);
  video.addEventListener("play", follow);
  button.addEventListener("click", () => { player.wanted = !player.wanted; player.update(); });
  seek.addEventListener("input", () => {
    player.wanted = false;
    player.update();
    video.currentTime = (Number(seek.value) + 0.5) / rate;
  });
  figure.classList.add("live");
  players.set(figure, player);
  player.update();
}

document.querySelectorAll("figure.clip").forEach(makePlayer);
const inView = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const player = players.get(entry.target);
    player.seen = entry.isIntersecting;
    player.update();
  }
}, { rootMargin: "80px" });
players.forEach((_, figure) => inView.observe(figure));

for (const group of document.querySelectorAll(".players")) {
  const select = group.querySelector("select"), all = group.querySelector(".play-all");
  const figures = [...group.querySelectorAll("figure.clip")];
  const visible = () => figures.filter((figure) => !figure.hidden).map((figure) => players.get(figure));
  const label = () => { all.textContent = visible().some((player) => player.wanted) ? "Pause all" : "Play all"; };
  const choose = () => {
    for (const figure of figures) {
      figure.hidden = true;
      for (const one of figure.querySelectorAll("[data-metric]")) {
        one.hidden = one.dataset.metric !== select.value;
        if (!one.hidden && one.dataset.order) { figure.hidden = false; figure.style.order = one.dataset.order; }
      }
      players.get(figure).update();
    }
    label();
  };
  select.addEventListener("change", choose);
  all.addEventListener("click", () => {
    const run = !visible().some((player) => player.wanted);
    for (const player of visible()) {
      player.wanted = run;
      if (run) player.video.currentTime = 0;
      player.update();
    }
    label();
  });
  group.addEventListener("click", label);
  choose();
}

// The bar marks the section that one reads.
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const reading = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || !links.has(entry.target.id)) continue;
    links.forEach((link) => link.classList.remove("here"));
    const link = links.get(entry.target.id);
    link.classList.add("here");
    link.parentElement.scrollTo({ left: link.offsetLeft - link.parentElement.clientWidth / 2, behavior: "instant" });
  }
}, { rootMargin: "-20% 0px -70% 0px" });
document.querySelectorAll("main section[id]").forEach((section) => reading.observe(section));

// Light or dark: what the system says, until one chooses.
document.querySelector(".theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
