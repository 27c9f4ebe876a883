// A portrait with the landmarks of a pose, drawn while sliders move, and the picture that the model makes of it.
import { sendJson } from "./api.js";

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

// Landmarks as the studio packs them: see preview.py.
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...about, places: new Int16Array(buffer, 4 + length) };
}

export class Stage {
  // `onProblem` is called with a sentence for the user, or "" where all is well again.
  constructor(element, onProblem) {
    this.canvas = element.querySelector("canvas");
    this.made = element.querySelector(".fye-made img");
    this.seconds = element.querySelector(".fye-seconds");
    this.onProblem = onProblem;
    this.askLandmarks = latest((pose) => this.#landmarks(pose));
    this.askPicture = latest((pose) => this.#picture(pose));
  }

  async show(portrait) {
    this.portrait = portrait;
    this.landmarks = undefined;
    this.made.hidden = true;
    this.seconds.textContent = "";
    const view = new Image();
    view.src = `/studio/materials/${encodeURIComponent(portrait)}/view`;
    await view.decode().catch(() => {});
    if (this.portrait !== portrait) return; // another was chosen meanwhile
    this.view = view;
    [this.canvas.width, this.canvas.height] = [view.naturalWidth, view.naturalHeight];
    this.draw();
  }

  draw(landmarks = this.landmarks, frame = 0) {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    if (this.view?.naturalWidth) context.drawImage(this.view, 0, 0, width, height);
    if (!landmarks) return;
    context.fillStyle = "rgb(0 0 0 / 45%)"; // lines are seen on any picture
    context.fillRect(0, 0, width, height);
    const at = (point) => {
      const place = 2 * (frame * landmarks.points + point);
      return [landmarks.places[place] / 8, landmarks.places[place + 1] / 8];
    };
    context.lineWidth = Math.max(1.5, width / 200);
    context.lineJoin = context.lineCap = "round";
    for (const [colour, points] of landmarks.lines) {
      context.strokeStyle = colour;
      context.beginPath();
      for (const point of points) context.lineTo(...at(point));
      context.stroke();
    }
    context.fillStyle = landmarks.pupil_colour;
    for (const point of landmarks.pupils) {
      context.beginPath();
      context.arc(...at(point), Math.max(2, width / 130), 0, 7);
      context.fill();
    }
  }

  async #landmarks(pose) {
    const { portrait } = this;
    try {
      const answer = await sendJson("pose", { portrait, pose });
      if (this.portrait !== portrait) return;
      this.landmarks = unpack(await answer.arrayBuffer());
      this.onProblem("");
      this.draw();
    } catch (error) {
      this.onProblem(error.message);
    }
  }

  async #picture(pose) {
    const { portrait } = this;
    this.made.setAttribute("aria-busy", "true");
    try {
      const answer = await sendJson("pose/picture", { portrait, pose });
      if (answer.status === 204 || this.portrait !== portrait) return; // a later one is asked for
      const seconds = Number(answer.headers.get("x-seconds"));
      URL.revokeObjectURL(this.made.src);
      this.made.src = URL.createObjectURL(await answer.blob());
      this.made.hidden = false;
      this.seconds.textContent = `${seconds.toFixed(2)} s`;
    } catch (error) {
      this.onProblem(error.message);
    } finally {
      this.made.removeAttribute("aria-busy");
    }
  }
}
