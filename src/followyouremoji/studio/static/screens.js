// What is seen of an animation, each in a frame of its own: landmarks over the portrait, the driving, the result.

import { make } from "./dom.js";
import { fitted } from "./landmarks.js";
import { motionOf } from "./thumbnails.js";

const JUMP = 0.15; // seconds that a clip may be off before it is set right; less would stutter

const path = (kind, id, what) => `/studio/${kind}/${encodeURIComponent(id)}/${what}`;

function framed(name, ...layers) {
  const screen = make("div", { className: "fye-screen" }, ...layers);
  const caption = make("figcaption", {}, name);
  return { screen, caption, figure: make("figure", { className: `fye-pane-${name.toLowerCase()}` }, screen, caption) };
}

// Keep a clip at a time of the stage's own clock.
function follow(video, time, playing) {
  if (!(video.duration > 0)) return;
  const wanted = Math.min(time, video.duration - 0.001);
  const off = Math.abs(video.currentTime - wanted);
  const far = Math.min(off, Math.abs(video.duration - off)); // the end goes on with the beginning
  if (playing) {
    if (video.paused) video.play().catch(() => {}); // not where the browser saves power, say
    if (far > JUMP && !video.seeking) video.currentTime = wanted;
  } else {
    if (!video.paused) video.pause();
    if (off > 0.02 && !video.seeking) video.currentTime = wanted;
  }
}

export class LandmarksScreen {
  constructor(...above) {
    this.picture = make("img", { alt: "", draggable: false });
    this.canvas = make("canvas", { role: "img", "aria-label": "No landmarks yet" });
    Object.assign(this, framed("Landmarks", this.picture, this.canvas, ...above), { landmarks: [], drawn: [] });
    this.screen.classList.add("fye-loading"); // until the session is restored
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  show(portrait, landmarks, label) {
    if (this.portrait !== portrait?.id) {
      this.portrait = portrait?.id;
      if (portrait) this.picture.src = path("materials", portrait.id, "view");
      this.screen.classList.toggle("fye-loading", !portrait);
    }
    this.screen.classList.toggle("fye-clear", Boolean(portrait?.transparent));
    this.caption.textContent = landmarks.length ? "Landmarks" : "Portrait";
    this.screen.classList.toggle("fye-dimmed", landmarks.length > 0);
    if (portrait) this.screen.style.setProperty("--ratio", portrait.size[0] / portrait.size[1]);
    this.canvas.setAttribute("aria-label", label);
    this.landmarks = landmarks;
    this.draw();
  }

  at(time) {
    const frames = this.landmarks.map((one) => one.at(time));
    if (String(frames) !== String(this.drawn)) this.draw(frames);
  }

  draw(frames = this.drawn) {
    const context = fitted(this.canvas);
    this.drawn = this.landmarks.map((one, place) => Math.min(frames[place] ?? 0, one.frames - 1));
    this.landmarks.forEach((one, place) => {
      const scale = this.canvas.width / one.size[0];
      const [left, , right] = one.extent;
      one.draw(context, this.drawn[place], { scale, width: Math.max(1.2, Math.min(2.5, (scale * (right - left)) / 90) * (window.devicePixelRatio || 1)) });
    });
  }
}

export class DrivingScreen {
  constructor() {
    this.canvas = make("canvas", { role: "img", "aria-label": "Landmarks of the driving" });
    this.video = make("video", { muted: true, playsInline: true, preload: "auto", hidden: true, tabIndex: -1, "aria-label": "Driving" });
    this.still = make("img", { alt: "Driving", hidden: true });
    this.still.onload = this.video.onloadeddata = (event) => { event.target.hidden = false; };
    Object.assign(this, framed("Driving", this.canvas, this.video, this.still));
    this.screen.classList.add("fye-loading");
    new ResizeObserver(() => { this.drawn = -1; }).observe(this.canvas);
  }

  // What moves the portrait: its landmarks, until a browser has what it can show of a clip.
  async show(driving) {
    if (this.driving?.id === driving?.id) return;
    Object.assign(this, { driving, motion: null, drawn: -1 });
    this.video.pause();
    for (const element of [this.video, this.still]) {
      element.hidden = true;
      element.removeAttribute("src");
    }
    this.video.load();
    if (!driving) return;
    if (driving.view) {
      const element = driving.view.endsWith(".mp4") ? this.video : this.still;
      element.src = path("materials", driving.id, "view");
    }
    const motion = await motionOf(driving.id).catch(() => null);
    if (this.driving !== driving) return;
    this.motion = motion;
    this.screen.classList.remove("fye-loading");
    if (motion) this.screen.style.setProperty("--ratio", motion.size[0] / motion.size[1]);
    this.at(0, false); // until the stage's own clock runs
  }

  // `time` seconds of the driving.
  at(time, playing) {
    if (!this.video.hidden) return follow(this.video, time, playing);
    const frame = this.motion?.at(time);
    if (frame === undefined || frame === this.drawn) return undefined;
    this.drawn = frame;
    return this.motion.drawAlone(this.canvas, frame);
  }
}

export class ResultScreen {
  constructor() {
    this.picture = make("img", { alt: "The frame made last", hidden: true });
    this.video = make("video", { muted: true, loop: true, playsInline: true, preload: "auto", hidden: true, tabIndex: -1, "aria-label": "Result" });
    this.video.onloadeddata = () => {
      this.video.hidden = false;
      this.picture.hidden = true;
    };
    this.picture.onload = () => { this.picture.hidden = false; };
    Object.assign(this, framed("Result", this.picture, this.video));
  }

  // A result as it is now: the latest of its frames, or all of it.
  show(result, portrait) {
    if (this.id !== result?.id) {
      this.id = result?.id;
      this.video.pause();
      this.picture.hidden = this.video.hidden = true;
      this.video.removeAttribute("src");
      this.picture.removeAttribute("src");
    }
    if (portrait) this.screen.style.setProperty("--ratio", portrait.size[0] / portrait.size[1]);
    this.screen.classList.toggle("fye-clear", Boolean(portrait?.transparent));
    if (!result) return;
    if (!result.file) {
      const frame = result.job?.frame ?? -1;
      if (frame >= 0) this.source(this.picture, path("results", result.id, `frame?number=${frame}`));
    } else if (result.file.endsWith(".png")) {
      this.source(this.picture, path("results", result.id, "file"));
      this.picture.alt = "Result";
    } else {
      this.source(this.video, path("results", result.id, "file"));
    }
  }

  source(element, address) {
    if (element.getAttribute("src") !== address) element.setAttribute("src", address);
  }

  get seconds() {
    return this.video.hidden ? 0 : this.video.duration || 0;
  }

  at(time, playing) {
    if (!this.video.hidden) follow(this.video, time, playing);
  }
}
