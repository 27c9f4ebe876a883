// How quick live is, as the visitor sees it: from a picture of the camera to the frame on the screen.

const KEPT = 3; // seconds

export class Figures {
  constructor() {
    this.shown = []; // [when, latency] of frames, seconds
    this.skipped = 0; // pictures that were not sent
  }

  // The frame of a picture's time is on the screen.
  show(time) {
    const now = performance.now() / 1000;
    this.shown.push([now, now - time]);
    this.shown = this.shown.filter(([when]) => when > now - KEPT);
  }

  // Frames a second.
  get rate() {
    if (this.shown.length < 2) return 0;
    return (this.shown.length - 1) / (this.shown.at(-1)[0] - this.shown[0][0]);
  }

  // Of the latencies of the last seconds, the one that a share of them is within.
  latency(share) {
    const sorted = this.shown.map(([, latency]) => latency).sort((one, other) => one - other);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }
}
