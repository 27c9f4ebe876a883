// Landmarks of all frames of a motion, as the studio packs them (see preview.py), and how they are drawn.

const FINE = 8; // parts of a pixel

export class Landmarks {
  constructor(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    Object.assign(this, JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))));
    this.coordinates = new Int16Array(buffer, 4 + length);
    this.lines = this.lines.map(([colour, points]) => [bright(colour), points]);
  }

  get seconds() {
    return this.frames / this.frame_rate;
  }

  // The frame that is shown at a time, in seconds from the first.
  at(seconds) {
    return Math.max(0, Math.min(this.frames - 1, Math.floor(seconds * this.frame_rate + 1e-3)));
  }

  // [left, top, right, bottom] of all frames, pixels of the view.
  get extent() {
    if (this.box) return this.box;
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let place = 0; place < this.coordinates.length; place += 2) {
      const x = this.coordinates[place] / FINE;
      const y = this.coordinates[place + 1] / FINE;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
    }
    return (this.box = box);
  }

  // The frame that shows most of the expression: the one that is furthest from the first.
  get liveliest() {
    const values = 2 * this.points;
    let best = 0;
    let most = -1;
    for (let frame = 0; frame < this.frames; frame += 1) {
      let moved = 0;
      for (let place = 0; place < values; place += 1) {
        moved += Math.abs(this.coordinates[frame * values + place] - this.coordinates[place]);
      }
      if (moved > most) [most, best] = [moved, frame];
    }
    return best;
  }

  // Draw a frame; (x, y) of the view comes to (left + scale x, top + scale y), and lines are `width` wide.
  draw(context, frame, { scale, left = 0, top = 0, width = 2 }) {
    const first = 2 * this.points * frame;
    const x = (point) => left + (scale * this.coordinates[first + 2 * point]) / FINE;
    const y = (point) => top + (scale * this.coordinates[first + 2 * point + 1]) / FINE;
    context.lineWidth = width;
    context.lineJoin = context.lineCap = "round";
    for (const [colour, points] of this.lines) {
      context.strokeStyle = colour;
      context.beginPath();
      points.forEach((point, number) => (number ? context.lineTo(x(point), y(point)) : context.moveTo(x(point), y(point))));
      context.stroke();
    }
    context.fillStyle = this.pupil_colour;
    for (const point of this.pupils) {
      context.beginPath();
      context.arc(x(point), y(point), 1.6 * width, 0, 2 * Math.PI);
      context.fill();
    }
  }

  // Draw a frame into a canvas of its own, as large as all frames' face allows.
  drawAlone(canvas, frame) {
    const context = fitted(canvas);
    const [left, top, right, bottom] = this.extent;
    const scale = 0.84 * Math.min(canvas.width / Math.max(right - left, 1), canvas.height / Math.max(bottom - top, 1));
    this.draw(context, frame, {
      scale,
      left: canvas.width / 2 - (scale * (left + right)) / 2,
      top: canvas.height / 2 - (scale * (top + bottom)) / 2,
      width: Math.max(1.2, canvas.width / 110),
    });
  }
}

// A canvas's context, empty, with a pixel for each of the screen's.
export function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * ratio)));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return context;
}

// The model is shown dim colours; people see bright ones better.
function bright(colour) {
  const parts = colour.match(/\d+/g).map(Number);
  return `rgb(${parts.map((part) => Math.round((255 * part) / Math.max(...parts))).join(" ")})`;
}
