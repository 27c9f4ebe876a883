// Two eyes whose pupils are dragged, or moved with arrow keys: where the eyes look, by the picture.
import { pose } from "./expressions_pose.js";

const STEP = 0.05;
const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

export function mount(element) {
  const together = element.querySelector("input");
  const eyes = [...element.querySelectorAll("[data-eye]")];

  // An eye looks where both look, and aside by its own amounts.
  const look = (eye) => ["x", "y"].map((axis) => within(pose.of(`gaze_${axis}`) + pose.of(`${eye}_${axis}`)));

  function turn(eye, [x, y]) {
    const [own, other] = together.checked ? ["gaze", eye] : [eye, "gaze"];
    pose.change({
      [`${own}_x`]: within(x - pose.of(`${other}_x`)),
      [`${own}_y`]: within(y - pose.of(`${other}_y`)),
    });
  }

  // Each eye's own sliders are there where the eyes look apart.
  function join(isTogether) {
    together.checked = isTogether;
    element.closest(".fye-sliders").classList.toggle("fye-together", isTogether);
  }

  together.addEventListener("change", () => {
    join(together.checked);
    if (!together.checked) return;
    const looks = eyes.map((button) => look(button.dataset.eye));
    const [x, y] = [0, 1].map((axis) => (looks[0][axis] + looks[1][axis]) / 2);
    const own = eyes.flatMap(({ dataset }) => [`${dataset.eye}_x`, `${dataset.eye}_y`]).map((name) => [name, 0]);
    pose.change({ ...Object.fromEntries(own), gaze_x: x, gaze_y: y });
  });

  function show() {
    if (eyes.some(({ dataset }) => pose.of(`${dataset.eye}_x`) || pose.of(`${dataset.eye}_y`))) join(false);
    for (const button of eyes) {
      const [x, y] = look(button.dataset.eye);
      button.style.setProperty("--x", x);
      button.style.setProperty("--y", y);
      button.setAttribute("aria-description", `${Math.round(100 * x)} % right, ${Math.round(100 * y)} % up; arrow keys move it`);
    }
  }

  for (const button of eyes) {
    const { eye } = button.dataset;
    const follow = ({ clientX, clientY }) => {
      const { left, top, width, height } = button.getBoundingClientRect();
      turn(eye, [within((2 * (clientX - left)) / width - 1), within(1 - (2 * (clientY - top)) / height)]);
    };
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      follow(event);
    });
    button.addEventListener("pointermove", (event) => button.hasPointerCapture(event.pointerId) && follow(event));
    button.addEventListener("keydown", (event) => {
      const by = KEYS[event.key];
      if (!by && event.key !== "Home") return;
      event.preventDefault();
      const [x, y] = look(eye);
      turn(eye, by ? [within(x + by[0]), within(y + by[1])] : [0, 0]);
    });
  }
  join(true);
  pose.addEventListener("change", show);
  show();
}

function within(amount) {
  return Math.min(1, Math.max(-1, amount));
}
