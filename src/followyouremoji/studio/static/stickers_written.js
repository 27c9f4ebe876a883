// A sticker as it was written: the file itself on a light and a dark ground, and what it takes of what may be.

import { calm, icon, make } from "./dom.js";

const GROUNDS = ["light", "dark"];

export class Grounds {
  constructor(element) {
    this.element = element;
    this.grounds = [...element.querySelectorAll(".fye-ground")];
  }

  // A picture of the sticker at rest, a Blob.
  still(picture) {
    this.clear();
    this.address = URL.createObjectURL(picture);
    this.#put((ground) => make("img", { src: this.address, alt: `The sticker at rest, on ${ground}`, draggable: false }));
  }

  // The written file itself; of a pack the contact sheet, which has a ground of its own.
  play({ id, kind, file, title }) {
    if (this.played === id) return;
    this.clear();
    this.played = id;
    this.element.classList.toggle("fye-of-pack", kind === "pack");
    const src = kind === "pack" ? `/studio/stickers/${id}/sheet` : `/studio/results/${id}/file`;
    this.#put((ground) => {
      const label = kind === "pack" ? title : `${title}, on ${ground}`;
      if (!file.endsWith(".webm")) return make("img", { src, alt: label, draggable: false });
      return make("video", { src, loop: true, muted: true, autoplay: !calm.matches, controls: calm.matches, playsInline: true, "aria-label": label });
    });
  }

  clear() {
    if (this.address) URL.revokeObjectURL(this.address);
    Object.assign(this, { address: null, played: null });
    for (const ground of this.grounds) ground.replaceChildren();
    this.element.classList.remove("fye-of-pack");
  }

  wait(isWaiting) {
    for (const ground of this.grounds) ground.classList.toggle("fye-waiting", isWaiting);
  }

  #put(made) {
    this.grounds.forEach((ground, place) => ground.replaceChildren(made(GROUNDS[place])));
  }
}

// What is said of a finished sticker or pack, and the link that takes it home: elements.
export function written({ id, file, title, outcome }) {
  const ending = file.split(".").pop();
  const link = make("a", { className: "fye-button fye-primary", href: `/studio/results/${id}/file?as=${ending}`, download: `${title}.${ending}` },
    icon("down"), outcome.count ? "Download the pack" : "Download the sticker");
  const notes = make("ul", { className: "fye-notes", "aria-label": "Notes" }, ...outcome.notes.map((note) => make("li", {}, note.sentence)));
  return [...measured(outcome), link, notes];
}

function measured({ bytes, limits, size, frames, frame_rate: rate, duration, quality, count }) {
  const [width, height] = size;
  const facts = {
    ...(count ? { Stickers: String(count) } : {}),
    Sides: `${width} × ${height} pixels`,
    Length: `${of(duration, limits.seconds)} s, ${frames} frames`,
    Rate: `${of(rate, limits.rate)} a second`,
    ...(count ? {} : { Encoding: quality }),
  };
  const list = make("dl", { className: "fye-facts" }, ...Object.entries(facts).map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  const most = count ? "bytes in the largest sticker" : "bytes";
  const taken = make("p", { className: "fye-bytes" }, limits.bytes ? `${grouped(bytes)} of ${grouped(limits.bytes)} ${most}` : `${grouped(bytes)} ${most}`);
  if (!limits.bytes) return [taken, list];
  const filled = make("div");
  filled.style.width = `${Math.min(100, (100 * bytes) / limits.bytes)}%`;
  return [taken, make("div", { className: "fye-bar", "aria-hidden": "true" }, filled), list];
}

// 262144 as 262 144.
function grouped(whole) {
  return String(whole).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

// How much there is, of how much there may be where that is bounded.
function of(value, most) {
  const rounded = (one) => String(Math.round(one * 100) / 100);
  return most ? `${rounded(value)} of ${rounded(most)}` : rounded(value);
}
