// Keyframes on a line of time: buttons that are dragged or moved with arrow keys, and a cursor.
const LANE = `
  <div class="fye-buttons">
    <button type="button" class="fye-button" data-do="play">Play</button>
    <button type="button" class="fye-button" data-do="add">Add keyframe</button>
    <button type="button" class="fye-button" data-do="duplicate">Duplicate</button>
    <button type="button" class="fye-button" data-do="delete">Delete</button>
    <label>Easing to the next <select></select></label>
    <label>Length <input type="number" min="0.2" step="0.1"> s</label>
  </div>
  <div class="fye-lane" role="group" aria-label="Keyframes"></div>
  <input type="range" class="fye-cursor" min="0" aria-label="Time">
  <p class="fye-hint fye-time"></p>`;

export class Timeline {
  // `on` has what is called: select(keyframe or null), change() of keyframes or length, settle() when a change is
  // complete, seek(seconds, whether the cursor is let go of), add(seconds), play().
  constructor(element, { easings, frame_rate: frameRate, longest }, on) {
    element.innerHTML = LANE;
    Object.assign(this, { keyframes: [], length: 3, selected: null, cursor: 0, frameRate, longest, on });
    this.lane = element.querySelector(".fye-lane");
    this.range = element.querySelector(".fye-cursor");
    this.easing = element.querySelector("select");
    this.field = element.querySelector("[type=number]");
    this.time = element.querySelector(".fye-time");
    this.buttons = new Map([...element.querySelectorAll("[data-do]")].map((one) => [one.dataset.do, one]));
    this.field.max = longest;
    this.easing.append(...easings.map((name) => new Option(name.replaceAll("_", " "), name)));
    this.#listen();
    this.draw();
  }

  // Show other keyframes.
  set({ keyframes, length, frameRate, cursor = 0, selected = -1 }) {
    Object.assign(this, { length, frameRate, keyframes: keyframes.map((one) => ({ ...one })) });
    this.cursor = Math.min(cursor, this.end);
    this.selected = this.keyframes[selected] ?? null;
    this.draw();
  }

  get state() {
    const { keyframes, length, frameRate, cursor } = this;
    return { keyframes, length, frameRate, cursor, selected: keyframes.indexOf(this.selected) };
  }

  // When the last frame is shown.
  get end() {
    return this.#onFrame(this.length - 1 / this.frameRate);
  }

  set playing(playing) {
    this.buttons.get("play").textContent = playing ? "Pause" : "Play";
  }

  // A keyframe at a time, in place of one that is there.
  put(seconds, pose, easing = this.easing.value) {
    const there = this.keyframes.find((one) => Math.abs(one.seconds - seconds) < 0.5 / this.frameRate);
    const keyframe = Object.assign(there ?? {}, { seconds: this.#onFrame(seconds), pose, easing });
    if (!there) this.keyframes.push(keyframe);
    this.#sort();
    this.#pick(keyframe);
    this.on.change();
    this.on.settle();
  }

  // The cursor stays where a clip was paused.
  letGo() {
    this.#seek(true);
  }

  // The cursor as a clip plays.
  move(seconds) {
    this.cursor = seconds;
    this.range.value = seconds;
    this.#tell();
  }

  draw() {
    const focused = [...this.lane.children].find((one) => one === document.activeElement)?.keyframe;
    this.lane.replaceChildren(...this.keyframes.map((keyframe, number) => this.#marker(keyframe, number)));
    [...this.lane.children].find((one) => one.keyframe === focused)?.focus();
    this.range.max = this.end;
    this.range.step = 1 / this.frameRate;
    this.range.value = this.cursor;
    this.field.value = this.length;
    this.easing.value = this.selected?.easing ?? this.easing.value;
    for (const name of ["duplicate", "delete"]) this.buttons.get(name).disabled = !this.selected;
    this.buttons.get("play").disabled = this.keyframes.length < 2;
    this.#tell();
  }

  #tell() {
    const count = this.keyframes.length;
    const advice = ["Pose the face and add a keyframe.", "Move the cursor, pose the face and add another keyframe."][count];
    this.range.setAttribute("aria-valuetext", `${this.cursor.toFixed(2)} s`);
    this.time.textContent = `${this.cursor.toFixed(2)} s of ${this.length.toFixed(1)} s. ${advice ?? ""}`;
  }

  #marker(keyframe, number) {
    const marker = document.createElement("button");
    marker.type = "button";
    marker.className = "fye-keyframe";
    marker.keyframe = keyframe;
    marker.title = `Keyframe ${number + 1} at ${keyframe.seconds.toFixed(2)} s`;
    marker.setAttribute("aria-label", `Keyframe ${number + 1} at ${Number(keyframe.seconds.toFixed(2))} s`);
    marker.setAttribute("aria-pressed", String(keyframe === this.selected));
    marker.style.left = `${(100 * keyframe.seconds) / this.end}%`;
    return marker;
  }

  #listen() {
    const doing = {
      play: () => this.on.play(),
      add: () => this.on.add(this.cursor),
      duplicate: () => this.#duplicate(),
      delete: () => this.#delete(),
    };
    for (const [name, button] of this.buttons) button.addEventListener("click", doing[name]);
    this.range.addEventListener("input", () => this.#seek(false));
    this.range.addEventListener("change", () => this.#seek(true));
    this.easing.addEventListener("change", () => {
      if (!this.selected) return;
      this.selected.easing = this.easing.value;
      this.#changed();
    });
    this.field.addEventListener("change", () => {
      const asked = Number(this.field.value) || this.length;
      this.#last(asked);
      this.#changed();
    });
    this.lane.addEventListener("click", ({ target }) => target.keyframe && this.select(target.keyframe));
    this.lane.addEventListener("keydown", (event) => this.#key(event));
    this.lane.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  select(keyframe) {
    this.#pick(keyframe);
    if (keyframe) this.on.select(keyframe);
  }

  #pick(keyframe) {
    this.selected = keyframe;
    if (keyframe) this.cursor = keyframe.seconds;
    this.draw();
  }

  #seek(done) {
    this.cursor = Number(this.range.value);
    const there = this.keyframes.find((one) => Math.abs(one.seconds - this.cursor) < 0.5 / this.frameRate);
    this.selected = there ?? null;
    this.draw();
    this.on.seek(this.cursor, done);
  }

  #key(event) {
    const { keyframe } = event.target;
    const step = (event.shiftKey ? 5 : 1) / this.frameRate;
    const by = { ArrowLeft: -step, ArrowRight: step, ArrowDown: -step, ArrowUp: step }[event.key];
    if (!keyframe || (by === undefined && !["Delete", "Backspace"].includes(event.key))) return;
    event.preventDefault();
    if (this.selected !== keyframe) this.select(keyframe);
    if (by === undefined) this.#delete();
    else if (this.#place(keyframe, keyframe.seconds + by)) this.#changed();
  }

  #drag(event) {
    const { keyframe } = event.target;
    if (!keyframe || event.button !== 0) return;
    const { left, width } = this.lane.getBoundingClientRect();
    const start = event.clientX;
    let moved = false;
    const move = (now) => {
      if (!moved && Math.abs(now.clientX - start) < 4) return;
      if (!moved && this.selected !== keyframe) this.select(keyframe);
      moved = true;
      if (this.#place(keyframe, ((now.clientX - left) / width) * this.end)) {
        this.draw();
        this.on.change();
      }
    };
    const stop = () => {
      window.removeEventListener("pointermove", move);
      if (moved) this.on.settle();
    };
    window.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, stop, { once: true });
  }

  // Move a keyframe, but not onto another.
  #place(keyframe, seconds) {
    const place = this.#onFrame(Math.min(Math.max(seconds, 0), this.end));
    if (this.keyframes.some((one) => one !== keyframe && Math.abs(one.seconds - place) < 0.5 / this.frameRate)) return false;
    keyframe.seconds = this.cursor = place;
    this.#sort();
    return true;
  }

  // After the selected keyframe, as near as there is room.
  #duplicate() {
    const { pose, easing, seconds } = this.selected;
    const taken = (place) => this.keyframes.some((one) => Math.abs(one.seconds - place) < 0.5 / this.frameRate);
    let place = this.#onFrame(seconds + 0.4);
    while (taken(place)) place = this.#onFrame(place + 1 / this.frameRate);
    if (place > this.longest - 1 / this.frameRate) return;
    this.#last(this.length, place);
    this.put(place, { ...pose }, easing);
  }

  #delete() {
    const number = this.keyframes.indexOf(this.selected);
    this.keyframes.splice(number, 1);
    const next = this.keyframes[Math.min(number, this.keyframes.length - 1)] ?? null;
    this.select(next);
    [...this.lane.children].find((one) => one.keyframe === next)?.focus();
    this.on.change();
    this.on.settle();
  }

  #changed() {
    this.draw();
    this.on.change();
    this.on.settle();
  }

  // Have it last some seconds, and at least as long as its keyframes.
  #last(seconds, latest = this.keyframes.at(-1)?.seconds ?? 0) {
    const frames = Math.max(seconds * this.frameRate, latest * this.frameRate + 1, 2);
    this.length = Math.min(Number((Math.round(frames) / this.frameRate).toFixed(4)), this.longest);
    this.cursor = Math.min(this.cursor, this.end);
  }

  #onFrame(seconds) {
    return Number((Math.round(seconds * this.frameRate) / this.frameRate).toFixed(4));
  }

  #sort() {
    this.keyframes.sort((one, other) => one.seconds - other.seconds);
  }
}
