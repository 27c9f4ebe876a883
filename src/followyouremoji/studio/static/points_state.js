// Which points are placed where, with undo and redo, and the face that is fitted to them while they move.

import { sendJson } from "./api.js";

const LEAST = 5; // points that a face needs

export class Placing extends EventTarget {
  constructor(table) {
    super();
    this.table = table;
    this.named = new Map(table.points.map((point) => [point.name, point]));
    this.open(null, {});
  }

  // Begin with some points on a portrait; `portrait` has an id and a size.
  open(portrait, points) {
    Object.assign(this, { portrait, past: [], future: [], fitted: null, problem: "", view: this.view ?? "front" });
    this.placed = new Map(Object.entries(points));
    this.kept = this.asText();
    this.changed();
  }

  place(name, place) {
    this.placed.set(name, place.map((one) => Math.round(one * 100) / 100));
    this.changed();
  }

  remove(name) {
    this.placed.delete(name);
    this.changed();
  }

  // Points that replace all, as of a file.
  replace(points) {
    this.remember();
    this.placed = new Map(Object.entries(points));
    this.changed();
  }

  // Note how it is before a change, so that this can be undone.
  remember() {
    this.past.push(new Map(this.placed));
    this.future = [];
  }

  undo() { this.swap(this.past, this.future); }

  redo() { this.swap(this.future, this.past); }

  swap(from, to) {
    if (!from.length) return;
    to.push(this.placed);
    this.placed = from.pop();
    this.changed();
  }

  asText() {
    return JSON.stringify([...this.placed].sort());
  }

  // Where a point is, or would be; null where nothing is known.
  at(name) {
    return this.placed.get(name) ?? this.guess(name);
  }

  guess(name) {
    if (this.fitted) return this.fitted.at(name);
    return this.similarity?.(this.table.views[this.view].points[name]) ?? null;
  }

  // The next point of the guide, null when all of it are placed.
  next() {
    return this.table.views[this.view].guide.find((name) => !this.placed.has(name)) ?? null;
  }

  // "placed", "ignored" by the fit, "guessed" by it, or "missing".
  stateOf(name) {
    if (!this.placed.has(name)) return this.at(name) ? "guessed" : "missing";
    return this.fitted?.doubted.has(name) ? "ignored" : "placed";
  }

  // Pixels of the picture between a point and the fitted face.
  residual(name) {
    if (!this.fitted || !this.placed.has(name)) return null;
    const [x, y] = this.fitted.at(name);
    return Math.hypot(x - this.placed.get(name)[0], y - this.placed.get(name)[1]);
  }

  changed() {
    this.similarity = similarity(this.table.views[this.view].points, this.placed);
    if (this.placed.size < LEAST) Object.assign(this, { fitted: null, problem: "" });
    this.tell();
    this.refit();
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }

  // One question at a time; what changed meanwhile is asked next.
  async refit() {
    if (this.asking || !this.portrait) return;
    this.asking = true;
    let asked = null;
    while (this.placed.size >= LEAST && asked !== this.state()) {
      asked = this.state();
      const { portrait } = this;
      const points = Object.fromEntries(this.placed);
      try {
        const answer = await sendJson("points", { portrait: portrait.id, points });
        const fitted = unpacked(await answer.arrayBuffer(), portrait, this.named);
        if (portrait === this.portrait) Object.assign(this, { fitted, problem: "" });
      } catch (error) {
        if (portrait === this.portrait) Object.assign(this, { fitted: null, problem: error.message });
      }
      if (this.placed.size < LEAST) this.fitted = null;
      this.tell();
    }
    this.asking = false;
  }

  state() {
    return this.portrait.id + this.asText();
  }
}

// A fitted face: see `placing.packed_fit`.
function unpacked(buffer, portrait, named) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const fine = new Int16Array(buffer, 4 + length);
  const scale = 1 / header.fine;
  const place = (point) => [fine[2 * point] * scale, fine[2 * point + 1] * scale];
  return {
    doubted: new Set(header.doubted),
    place,
    at(name) {
      const places = named.get(name).landmarks.map(place);
      return [0, 1].map((axis) => places.reduce((sum, one) => sum + one[axis], 0) / places.length);
    },
  };
}

// The similarity, of two points or more, that takes points of the reference face to where they are placed.
function similarity(reference, placed) {
  const names = [...placed.keys()];
  if (names.length < 2) return null;
  const from = names.map((name) => reference[name]);
  const to = [...placed.values()];
  const middle = (places) => [0, 1].map((axis) => places.reduce((sum, one) => sum + one[axis], 0) / places.length);
  const [a, b] = [middle(from), middle(to)];
  let [real, imaginary, length] = [0, 0, 0];
  from.forEach(([x, y], number) => {
    const [u, v, s, t] = [x - a[0], y - a[1], to[number][0] - b[0], to[number][1] - b[1]];
    real += u * s + v * t;
    imaginary += u * t - v * s;
    length += u * u + v * v;
  });
  if (!length) return null;
  [real, imaginary] = [real / length, imaginary / length];
  return ([x, y]) => [
    b[0] + real * (x - a[0]) - imaginary * (y - a[1]),
    b[1] + imaginary * (x - a[0]) + real * (y - a[1]),
  ];
}
