// Which part of a picture an element shows, and how large: zoom and pan.

const MOST_ZOOM = 24;
const CLOSE = 0.6; // of what is shown, the part that a face's points take up

export class PictureView {
  // `changed` is called when another part is shown.
  constructor(element, changed) {
    Object.assign(this, { element, changed, size: [1, 1] });
    this.zoom = 1; // 1 shows the whole picture
    this.middle = [0, 0]; // of what is shown, pixels of the picture
  }

  open(size) {
    this.size = size;
    this.whole();
  }

  get scale() {
    const { width, height } = this.extent();
    return this.zoom * Math.min(width / this.size[0], height / this.size[1]);
  }

  extent() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  toScreen([x, y]) {
    const { width, height } = this.extent();
    return [width / 2 + (x - this.middle[0]) * this.scale, height / 2 + (y - this.middle[1]) * this.scale];
  }

  toPicture([x, y]) {
    const { width, height } = this.extent();
    return [this.middle[0] + (x - width / 2) / this.scale, this.middle[1] + (y - height / 2) / this.scale];
  }

  whole() {
    this.zoom = 1;
    this.middle = this.size.map((side) => side / 2);
    this.element.classList.remove("fye-zoomed");
    this.changed();
  }

  // Show the surroundings of some points.
  closeUp(points) {
    const box = [0, 1].map((axis) => points.map((point) => point[axis])).map((all) => [Math.min(...all), Math.max(...all)]);
    const sides = box.map(([least, most]) => Math.max(1, most - least));
    const { width, height } = this.extent();
    const scale = Math.min(width / sides[0], height / sides[1]) * CLOSE;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, (this.zoom * scale) / this.scale));
    this.hold(box.map(([least, most]) => (least + most) / 2), [width / 2, height / 2]);
  }

  // Zoom about a place of the screen, by default the middle.
  zoomBy(factor, at = null) {
    const { width, height } = this.extent();
    const about = at ?? [width / 2, height / 2];
    const held = this.toPicture(about);
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    this.hold(held, about);
  }

  // Move the picture so that a place of it lies at a place of the screen; its edges are not left behind.
  hold(place, at) {
    const now = this.toPicture(at);
    this.middle = this.middle.map((one, axis) => {
      const side = this.size[axis];
      const shown = (axis ? this.extent().height : this.extent().width) / this.scale;
      const moved = one + place[axis] - now[axis];
      return shown >= side ? side / 2 : Math.min(side - shown / 2, Math.max(shown / 2, moved));
    });
    this.element.classList.toggle("fye-zoomed", this.zoom > 1);
    this.changed();
  }
}
