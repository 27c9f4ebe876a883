// A portrait with the landmarks of a pose, drawn while sliders move, and the picture that the model makes of it.

import { getJson, sendJson } from "./api.js";
import { Landmarks } from "./landmarks.js";

// One request at a time; of what is asked for meanwhile, the latest alone is sent afterwards.
export function latest(send) {
  let busy = false;
  let next;
  return async (...what) => {
    next = what;
    if (busy) return;
    busy = true;
    try {
      while (next) {
        const now = next;
        next = undefined;
        await send(...now);
      }
    } finally {
      busy = false;
    }
  };
}

export class Stage {
  // `tell` is called with a sentence for the user, or "" where all is well again.
  constructor(element, tell) {
    this.screens = element.querySelectorAll(".fye-screen");
    this.canvas = element.querySelector("canvas");
    this.made = element.querySelector(".fye-made img");
    this.seconds = element.querySelector(".fye-seconds");
    this.tell = tell;
    this.askLandmarks = latest((pose) => this.#landmarks(pose));
    this.askPicture = latest((pose) => this.#picture(pose));
  }

  // Show a portrait, with nothing on it yet.
  async show(portrait) {
    this.portrait = undefined;
    this.landmarks = undefined;
    const view = new Image();
    view.src = `/studio/materials/${encodeURIComponent(portrait)}/view`;
    this.view = view;
    await view.decode().catch(() => {});
    if (this.view !== view) return; // another was chosen meanwhile
    this.portrait = portrait;
    this.made.src = view.src; // at rest the picture is the portrait
    this.made.hidden = false;
    this.seconds.textContent = "";
    [this.canvas.width, this.canvas.height] = [view.naturalWidth, view.naturalHeight];
    for (const screen of this.screens) screen.style.setProperty("--ratio", view.naturalWidth / view.naturalHeight);
    this.draw();
  }

  draw(landmarks = this.landmarks, frame = 0) {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    if (this.view?.naturalWidth) context.drawImage(this.view, 0, 0, width, height);
    if (!landmarks) return;
    context.fillStyle = "rgb(0 0 0 / 35%)"; // lines are seen on any picture
    context.fillRect(0, 0, width, height);
    landmarks.draw(context, frame, { scale: 1, width: Math.max(1.5, Math.max(width, height) / 200) });
  }

  async #landmarks(pose) {
    const { portrait } = this;
    if (!portrait) return;
    try {
      const answer = await sendJson("pose", { portrait, pose });
      const landmarks = new Landmarks(await answer.arrayBuffer());
      if (this.portrait !== portrait) return;
      this.landmarks = landmarks;
      this.tell("");
      this.draw();
    } catch (error) {
      this.tell(error.message);
    }
  }

  // The first picture may have to wait for the model.
  async #tellOfModel() {
    if (this.loaded) return;
    this.loaded = (await getJson("model").catch(() => ({ loaded: true }))).loaded;
    if (!this.loaded && this.made.hasAttribute("aria-busy")) this.seconds.textContent = "The model is being loaded …";
  }

  async #picture(pose) {
    const { portrait } = this;
    if (!portrait) return;
    this.made.setAttribute("aria-busy", "true");
    this.seconds.textContent = "…";
    this.#tellOfModel();
    try {
      const answer = await sendJson("pose/picture", { portrait, pose });
      if (answer.status === 204) return; // the same visitor has asked for another one, in another window
      const picture = await answer.blob();
      if (this.portrait !== portrait) return;
      if (this.made.src.startsWith("blob:")) URL.revokeObjectURL(this.made.src);
      this.made.src = URL.createObjectURL(picture);
      this.seconds.textContent = `${Number(answer.headers.get("x-seconds")).toFixed(2)} s`;
    } catch (error) {
      this.seconds.textContent = "";
      this.tell(error.message);
    } finally {
      this.made.removeAttribute("aria-busy");
    }
  }
}
