// The page's side of `/studio/live`, see routes_live.py: pictures there, frames back.

const UNANSWERED = 2; // pictures that wait to be taken, at most
const BROKEN = "the connection to the studio broke";

export class LiveSocket {
  // `on` has functions: state({...}), frame(time, blob), ended(sentence).
  constructor(asked, on) {
    Object.assign(this, { on, ready: false, unanswered: 0, arrived: NaN, why: BROKEN, sent: null });
    const address = new URL("/studio/live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.tell(asked);
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.#told(JSON.parse(data)) : this.#frame(data));
    this.socket.onclose = () => this.on.ended(this.why);
  }

  #told(words) {
    if (words.taken) this.unanswered -= 1;
    else if (words.ended) this.why = words.ended;
    else {
      this.ready ||= words.state === "ready";
      this.on.state(words);
    }
  }

  #frame(data) {
    const time = new DataView(data).getFloat64(0, true);
    this.arrived = time;
    this.on.frame(time, new Blob([new Uint8Array(data, 8)]));
  }

  tell(words) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(words));
  }

  // Whether a picture may be sent now.
  get isFree() {
    return this.ready && this.unanswered < UNANSWERED && this.socket.readyState === WebSocket.OPEN;
  }

  // Send the picture of a time, seconds, as soon as its JPEG is there and those before are sent.
  picture(time, jpeg) {
    this.unanswered += 1;
    this.sent = Promise.all([jpeg, this.sent]).then(([bytes]) => this.#send(time, bytes));
  }

  #send(time, bytes) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(16 + bytes.byteLength);
    const head = new DataView(message.buffer);
    head.setFloat64(0, time, true);
    head.setFloat64(8, this.arrived, true);
    message.set(new Uint8Array(bytes), 16);
    this.socket.send(message);
  }

  close() {
    this.on.ended = () => {};
    this.on.state = () => {};
    this.on.frame = () => {};
    const close = () => this.socket.close();
    if (this.socket.readyState === WebSocket.CONNECTING) this.socket.onopen = close; // the browser complains, otherwise
    else close();
  }
}
