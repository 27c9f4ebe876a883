// The picture with the wire frame and a handle for each point, which pointers and keys move.

import { PictureView } from "./picture_view.js";

const REACH = { mouse: 14, pen: 18, touch: 26 }; // pixels of the screen within which a point is taken hold of
const NEAR = 6; // the same, where a click could as well place another point
const CLICK = 5; // pixels that a click may move
const GLASS = { radius: 64, zoom: 3 }; // the magnifier above a finger
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class PointsCanvas {
  // `placing` is a Placing; `select(name)` is called with the point that the visitor turns to.
  constructor(element, placing, select) {
    Object.assign(this, { element, placing, select, selected: null, hovered: null, wires: true });
    this.canvas = element.querySelector("canvas");
    this.tip = element.querySelector(".fye-tip");
    this.picture = new Image();
    this.view = new PictureView(element, () => this.draw());
    this.pointers = new Map();
    this.handles = new Map(placing.table.points.map((point) => [point.name, this.handle(point)]));
    element.querySelector(".fye-handles").append(...this.handles.values());
    placing.addEventListener("change", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(element);
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, (event) => this.up(event));
    element.addEventListener("pointerleave", () => this.hover(null));
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.view.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), this.screen(event));
    }, { passive: false });
  }

  // Show a portrait, and of it the face, where its points are known.
  async open(portrait, points) {
    this.size = portrait.size;
    this.picture.src = `/studio/materials/${portrait.id}/view`;
    this.element.style.setProperty("--shape", portrait.size[0] / portrait.size[1]);
    this.view.open(portrait.size);
    if (points.length) this.view.closeUp(points);
    await this.picture.decode();
    this.draw();
  }

  screen(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left - this.element.clientLeft, event.clientY - box.top - this.element.clientTop];
  }

  // Handles

  handle(point) {
    const handle = document.createElement("button");
    Object.assign(handle, { type: "button", className: "fye-handle" });
    handle.dataset.name = point.name;
    handle.addEventListener("focus", () => { this.turnTo(point.name); this.reveal(point.name); });
    handle.addEventListener("keydown", (event) => this.key(event, point.name));
    return handle;
  }

  key(event, name) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const [x, y] = this.placing.at(name);
      const step = event.shiftKey ? 10 : 1;
      this.placing.remember();
      this.placing.place(name, this.within([x + step * arrow[0], y + step * arrow[1]]));
      this.reveal(name);
    } else if ((event.key === "Delete" || event.key === "Backspace") && this.placing.placed.has(name)) {
      this.placing.remember();
      this.placing.remove(name);
    } else return;
    event.preventDefault();
  }

  turnTo(name) {
    if (name === this.selected) return;
    this.selected = name;
    this.select(name);
    this.draw();
  }

  // Bring a point into what is shown.
  reveal(name) {
    const place = this.placing.at(name);
    if (!place) return;
    const { width, height } = this.view.extent();
    const [x, y] = this.view.toScreen(place);
    if (x < 0 || y < 0 || x > width || y > height) this.view.hold(place, [width / 2, height / 2]);
  }

  // Points may lie somewhat outside the picture: part of a face may be cut off.
  within(place) {
    return place.map((one, axis) => Math.min(this.size[axis], Math.max(0, one)));
  }

  nearest(at, reach) {
    let [found, least] = [null, reach];
    for (const name of this.handles.keys()) {
      const place = this.placing.at(name);
      if (!place) continue;
      const [x, y] = this.view.toScreen(place);
      const far = Math.hypot(x - at[0], y - at[1]) - (name === this.selected ? 3 : 0);
      if (far < least) [found, least] = [name, far];
    }
    return found;
  }

  // Pointers: one holds a point or the picture, two zoom

  down(event) {
    if (event.button !== 0) return;
    const at = this.screen(event);
    this.pointers.set(event.pointerId, at);
    this.element.setPointerCapture(event.pointerId);
    if (this.pointers.size > 1) {
      this.dragged = null;
      this.pinched = this.spread();
      return;
    }
    const name = this.nearest(at, REACH[event.pointerType] ?? REACH.mouse);
    const place = name && this.view.toScreen(this.placing.at(name));
    const offset = name && [place[0] - at[0], place[1] - at[1]];
    this.dragged = { name, began: at, offset, held: this.view.toPicture(at), moved: false, touch: event.pointerType === "touch" };
    if (name) event.preventDefault();
  }

  move(event) {
    const at = this.screen(event);
    if (!this.pointers.has(event.pointerId)) {
      this.hover(this.nearest(at, REACH.mouse));
      return;
    }
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size > 1) {
      const pinched = this.spread();
      this.view.zoomBy(pinched.apart / this.pinched.apart, pinched.middle);
      this.view.hold(this.view.toPicture(this.pinched.middle), pinched.middle);
      this.pinched = pinched;
      return;
    }
    const drag = this.dragged;
    if (!drag) return;
    const far = Math.hypot(at[0] - drag.began[0], at[1] - drag.began[1]);
    if (!drag.moved && far < (drag.name ? 2 : CLICK)) return;
    if (!drag.moved && drag.name) {
      this.handles.get(drag.name).focus({ preventScroll: true });
      this.placing.remember();
    }
    drag.moved = true;
    if (drag.name) {
      const to = [at[0] + drag.offset[0], at[1] + drag.offset[1]];
      this.placing.place(drag.name, this.within(this.view.toPicture(to)));
    } else {
      this.view.hold(drag.held, at);
    }
  }

  up(event) {
    const drag = this.dragged;
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.dragged = null;
    if (drag && !drag.moved && event.type === "pointerup") this.click(this.screen(event), drag.name);
    this.draw();
  }

  // A click places the chosen point where none is yet, even beside others, and turns to another one elsewhere.
  click(at, hit) {
    const { placing, selected } = this;
    const place = this.view.toPicture(at);
    const inside = place.every((one, axis) => one >= 0 && one <= this.size[axis]);
    const other = hit && placing.placed.has(hit) && this.nearest(at, NEAR) === hit;
    if (selected && inside && !other && !placing.placed.has(selected)) {
      placing.remember();
      placing.place(selected, place);
    } else if (hit) {
      this.handles.get(hit).focus({ preventScroll: true });
    }
  }

  spread() {
    const [a, b] = [...this.pointers.values()];
    return { apart: Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
  }

  hover(name) {
    if (name === this.hovered) return;
    this.hovered = name;
    this.element.style.cursor = name ? "grab" : "";
    this.draw();
  }

  // Drawing, once a frame of the screen

  draw() {
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      if (this.size && this.element.clientWidth) this.paint();
    });
  }

  paint() {
    const { width, height } = this.view.extent();
    const fine = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * fine), Math.round(height * fine)];
    if (this.canvas.width !== wide || this.canvas.height !== high) Object.assign(this.canvas, { width: wide, height: high });
    const brush = this.canvas.getContext("2d");
    brush.setTransform(fine, 0, 0, fine, 0, 0);
    brush.clearRect(0, 0, width, height);
    this.paintPicture(brush);
    for (const [name, handle] of this.handles) this.settle(name, handle);
    this.showTip(width);
    const touching = Boolean(this.dragged?.touch && this.dragged.moved && this.dragged.name);
    this.element.classList.toggle("fye-touching", touching);
    if (touching) this.paintGlass(brush, width);
  }

  paintPicture(brush) {
    const [x, y] = this.view.toScreen([0, 0]);
    if (this.picture.complete && this.picture.naturalWidth) {
      brush.imageSmoothingEnabled = this.view.scale < 4;
      brush.drawImage(this.picture, x, y, this.size[0] * this.view.scale, this.size[1] * this.view.scale);
    }
    if (this.wires && this.placing.fitted) this.paintWires(brush);
  }

  paintWires(brush) {
    const { edges, features, irises } = this.placing.table;
    const at = (point) => this.view.toScreen(this.placing.fitted.place(point));
    const lines = (pairs) => {
      const path = new Path2D();
      for (let pair = 0; pair < pairs.length; pair += 2) {
        path.moveTo(...at(pairs[pair]));
        path.lineTo(...at(pairs[pair + 1]));
      }
      return path;
    };
    const mesh = lines(edges);
    const parts = lines(features);
    for (const iris of irises) {
      const [[x, y], [rimX, rimY]] = [at(iris), at(iris + 1)];
      const radius = Math.hypot(rimX - x, rimY - y);
      parts.moveTo(x + radius, y);
      parts.arc(x, y, radius, 0, 2 * Math.PI);
    }
    const stroke = (path, colour, width) => {
      Object.assign(brush, { strokeStyle: colour, lineWidth: width });
      brush.stroke(path);
    };
    stroke(mesh, "rgb(0 0 0 / 0.22)", 2);
    stroke(mesh, "rgb(120 225 255 / 0.6)", 1);
    stroke(parts, "rgb(0 0 0 / 0.5)", 4);
    stroke(parts, "rgb(255 214 90)", 2);
  }

  // What is under the finger, larger, in the corner that it is not in.
  paintGlass(brush, width) {
    const place = this.placing.at(this.dragged.name);
    const { radius, zoom } = GLASS;
    const [x] = this.view.toScreen(place);
    const centre = [x < width / 2 ? width - radius - 8 : radius + 8, radius + 8];
    brush.save();
    brush.beginPath();
    brush.arc(...centre, radius, 0, 2 * Math.PI);
    brush.clip();
    brush.fillStyle = "#888";
    brush.fill();
    const [a, b] = this.view.toScreen(place);
    brush.translate(centre[0] - zoom * a, centre[1] - zoom * b);
    brush.scale(zoom, zoom);
    this.paintPicture(brush);
    brush.restore();
    for (const [colour, line] of [["rgb(0 0 0 / 0.7)", 4], ["white", 2]]) {
      Object.assign(brush, { strokeStyle: colour, lineWidth: line });
      brush.beginPath();
      brush.arc(...centre, radius, 0, 2 * Math.PI);
      brush.moveTo(centre[0] - 9, centre[1]);
      brush.lineTo(centre[0] + 9, centre[1]);
      brush.moveTo(centre[0], centre[1] - 9);
      brush.lineTo(centre[0], centre[1] + 9);
      brush.stroke();
    }
  }

  settle(name, handle) {
    const place = this.placing.at(name);
    handle.hidden = !place;
    if (!place) return;
    const [x, y] = this.view.toScreen(place);
    const state = this.placing.stateOf(name);
    handle.style.transform = `translate(${x}px, ${y}px)`;
    handle.dataset.state = state;
    handle.classList.toggle("fye-current", name === this.selected);
    const { label } = this.placing.named.get(name);
    handle.setAttribute("aria-label", `${label}: ${state}, at ${Math.round(place[0])}, ${Math.round(place[1])}`);
  }

  showTip(width) {
    const focused = document.activeElement?.dataset?.name;
    const name = this.dragged?.name ?? this.hovered ?? (this.handles.has(focused) ? focused : null);
    const place = name && this.placing.at(name);
    this.tip.hidden = !place;
    if (!place) return;
    this.tip.textContent = this.placing.named.get(name).label;
    const [x, y] = this.view.toScreen(place);
    const half = this.tip.offsetWidth / 2 + 4;
    const above = y > 48 ? y - 44 : y + 18;
    this.tip.style.transform = `translate(${Math.max(half, Math.min(width - half, x)) - half + 4}px, ${above}px)`;
  }
}
