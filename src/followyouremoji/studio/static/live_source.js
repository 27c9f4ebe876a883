// What moves the portrait live: the browser's camera, or a clip that is played; its pictures as small JPEGs.

import { openCamera } from "./camera.js";

const SIDE = 480; // pixels of the longer one: landmarks are as good as in twice that, to 0.4 % of the eyes' distance
const QUALITY = 0.85;

export class Source {
  // `seen` is called at each new picture, `lost` with a sentence when there are no more.
  constructor(video, seen, lost) {
    Object.assign(this, { video, seen, lost, stream: null, clip: null, opened: 0 });
    this.canvas = document.createElement("canvas");
  }

  // Ask for the camera, or play a clip. Throws an Error whose message is for the user; false where it was closed
  // meanwhile.
  async open(clip) {
    this.close();
    const { video, opened } = this;
    if (clip) {
      this.clip = URL.createObjectURL(clip);
      Object.assign(video, { src: this.clip, loop: true });
    } else {
      const stream = await openCamera(false);
      if (opened !== this.opened) {
        stop(stream);
        return false;
      }
      this.stream = video.srcObject = stream;
      stream.getVideoTracks()[0].onended = () => this.lost("The camera is gone.");
    }
    try {
      await video.play();
    } catch (error) {
      if (opened !== this.opened) return false;
      this.close();
      throw new Error(clip ? `${clip.name} cannot be played by this browser.` : `The camera cannot be used: ${error.message}`);
    }
    video.hidden = false;
    this.#watch();
    return true;
  }

  get isOpen() {
    return Boolean(this.stream ?? this.clip);
  }

  get ratio() {
    return this.video.videoWidth / this.video.videoHeight;
  }

  #watch() {
    this.video.requestVideoFrameCallback(() => {
      if (!this.isOpen) return;
      this.#watch();
      this.seen();
    });
  }

  // The picture that is seen, as the bytes of a JPEG.
  async picture(mirrored) {
    const { canvas } = this;
    const scale = SIDE / Math.max(this.video.videoWidth, this.video.videoHeight);
    canvas.width = Math.round(scale * this.video.videoWidth);
    canvas.height = Math.round(scale * this.video.videoHeight);
    const context = canvas.getContext("2d");
    if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    return blob.arrayBuffer();
  }

  close() {
    this.opened += 1;
    if (this.stream) stop(this.stream);
    if (this.clip) URL.revokeObjectURL(this.clip);
    this.stream = this.clip = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.srcObject = null;
    this.video.hidden = true;
  }
}

function stop(stream) {
  stream.getTracks().forEach((track) => track.stop());
}
