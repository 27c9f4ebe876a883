// How quick live is, as the visitor sees it: from a picture of the camera to the frame on the screen.

const KEPT = 3; // seconds

export class Figures {
  #began = 0; // when the first frame was shown, seconds
  #shown = []; // [when, latency] of the latest ones
  skipped = 0; // pictures that were not sent

  // The frame of a picture's time is on the screen.
  show(time) {
    const now = performance.now() / 1000;
    this.#began ||= now;
    this.#shown.push([now, now - time]);
  }

  // Frames a second, and the latencies that half of them and nearly all are within; null while there are none.
  get latest() {
    const now = performance.now() / 1000;
    this.#shown = this.#shown.filter(([when]) => when > now - KEPT);
    const latencies = this.#shown.map(([, latency]) => latency).sort((one, other) => one - other);
    if (!latencies.length) return null;
    const within = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))];
    return { rate: latencies.length / Math.max(0.5, Math.min(KEPT, now - this.#began)), half: within(0.5), most: within(0.95) };
  }
}
