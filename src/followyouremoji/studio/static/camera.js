// A driving recorded with the camera, where the browser lets one: after a count-down, up to 15 seconds.

import { icon, make } from "./dom.js";

const MOST = 15; // seconds
const COUNTED = 3;
const TYPES = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
const REFUSED = {
  NotAllowedError: "The browser does not let this page use the camera: allow it beside the page's address.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program.",
};
const CLOSED = "Browsers give a camera to pages of this machine and to those with https only, and this page is neither.";

// The camera, a MediaStream. Throws an Error whose message is for the user.
export async function openCamera(audio) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(CLOSED);
  const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio });
  } catch (error) {
    throw new Error(REFUSED[error.name] ?? `The camera cannot be used: ${error.message}`);
  }
}

// A button and a panel that opens below, or null where there is no camera to ask for. `take` gets the file.
export function camera(take, complain) {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return null;
  return new Camera(take, complain);
}

class Camera {
  constructor(take, complain) {
    Object.assign(this, { take, complain, stream: null, recorder: null, timer: 0 });
    this.button = make("button", { type: "button", className: "fye-button", onclick: () => this.open() },
      icon("camera"), "Record");
    this.video = make("video", { muted: true, playsInline: true, "aria-label": "Camera" });
    this.count = make("p", { className: "fye-count", role: "status" });
    this.sound = make("input", { type: "checkbox" });
    this.start = make("button", { type: "button", className: "fye-button fye-primary", onclick: () => this.begin() }, "Start");
    this.panel = make("div", { className: "fye-camera", hidden: true },
      make("div", { className: "fye-screen" }, this.video, this.count),
      make("div", { className: "fye-buttons" }, this.start,
        make("label", {}, this.sound, " with sound"),
        make("button", { type: "button", className: "fye-quiet", onclick: () => this.close() }, "Cancel")));
  }

  async open() {
    this.close();
    try {
      this.stream = await openCamera(false);
    } catch (error) {
      this.complain(error.message);
      return;
    }
    this.panel.hidden = false;
    this.video.srcObject = this.stream;
    await this.video.play().catch(() => {}); // it shows its first frame, at least
    this.start.focus();
  }

  async begin() {
    if (this.recorder) {
      this.recorder.stop();
      return;
    }
    this.start.disabled = this.sound.disabled = true;
    try {
      if (this.sound.checked) {
        this.stop();
        this.stream = await openCamera(true);
        this.video.srcObject = this.stream;
        await this.video.play();
      }
      for (let left = COUNTED; left > 0 && this.stream; left -= 1) {
        this.count.textContent = left;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      if (this.stream) this.record();
    } catch (error) {
      this.close();
      this.complain(`It cannot be recorded: ${error.message}`);
    } finally {
      this.start.disabled = this.sound.disabled = false;
    }
  }

  record() {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = (this.recorder = new MediaRecorder(this.stream, { mimeType, videoBitsPerSecond: 4e6 }));
    const pieces = [];
    const began = performance.now();
    recorder.ondataavailable = (event) => pieces.push(event.data);
    recorder.onstop = () => {
      const kept = this.recorder === recorder;
      this.close();
      if (kept) this.take(new File(pieces, `recording.${mimeType.includes("mp4") ? "mp4" : "webm"}`, { type: mimeType }));
    };
    recorder.start();
    this.start.textContent = "Stop";
    this.panel.classList.add("fye-recording");
    this.timer = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      this.count.textContent = `${Math.ceil(MOST - seconds)} s left`;
      if (seconds >= MOST && recorder.state === "recording") recorder.stop();
    }, 200);
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }

  close() {
    clearInterval(this.timer);
    const { recorder } = this;
    this.recorder = null;
    if (recorder?.state === "recording") recorder.stop();
    this.stop();
    this.video.srcObject = null;
    this.count.textContent = "";
    this.start.textContent = "Start";
    this.panel.classList.remove("fye-recording");
    this.panel.hidden = true;
  }
}
