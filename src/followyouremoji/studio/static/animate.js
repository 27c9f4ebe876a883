import { getJson, sendJson } from "./api.js";

export async function mount(element) {
  const message = element.querySelector(".fye-message");
  try {
    const examples = await getJson("examples");
    message.textContent = examples.portraits.map((one) => one.name).join(", ");
    const answer = await sendJson("preview", { portrait: "bundled:ada", driving: "bundled:hello" });
    message.textContent += ` ${(await answer.arrayBuffer()).byteLength}`;
  } catch (error) {
    message.textContent = error.message;
  }
  window.addEventListener("fye-controls", (event) => { message.textContent = JSON.stringify(event.detail); });
}
