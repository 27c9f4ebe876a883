// The tab Benchmark: what was measured, its reports and studies, and how trainings stand.

import { getJson, getText } from "./api.js";
import { make, problem } from "./dom.js";
import { onShown } from "./tabs.js";

export function mount(element) {
  const wrong = problem();
  const list = make("div", { className: "fye-workshop" });
  element.append(wrong.element, list);
  onShown(element, async () => {
    try {
      const { benchmarks, trainings } = await getJson("workshop");
      wrong.clear();
      list.replaceChildren(...benchmarks.map(benchmark), ...trainings.map(training));
    } catch (error) {
      wrong.say(error.message);
    }
  });
}

function benchmark(one) {
  const path = `workshop/benchmarks/${one.id}`;
  const scores = make("pre", { className: "fye-scores", tabIndex: 0, "aria-label": `Figures of ${one.name}` }, "…");
  const wrong = problem();
  const table = make("details", {}, make("summary", {}, "Figures"), wrong.element, scores);
  table.addEventListener("toggle", async () => {
    if (!table.open) return;
    try {
      scores.textContent = await getText(`${path}/scores`);
    } catch (error) {
      scores.textContent = "";
      wrong.say(error.message);
    }
  });
  const report = one.report
    ? make("a", { className: "fye-button fye-primary", href: `/studio/${path}/report`, target: "_blank", rel: "noopener" }, "Open the report")
    : make("p", { className: "fye-hint" }, "No report yet: ", make("code", {}, `fye bench report ${quoted(one.folder)}`));
  const study = one.systems.length < 2 ? null : make("p", { className: "fye-hint" },
    one.study ? "Its user study goes on with " : "A user study, in which people rank the systems blind: ",
    make("code", {}, `fye bench study ${quoted(one.folder)}`));
  return make("section", { className: "fye-card", "aria-label": one.name }, make("h2", {}, one.name),
    make("p", {}, `Suite ${one.suite}; ${one.systems.join(", ")}`), report, study, table);
}

function training({ name, last }) {
  const figures = Object.entries(last).filter(([key]) => key !== "step").map(([key, value]) => `${key} ${value}`);
  return make("section", { className: "fye-card", "aria-label": name }, make("h2", {}, name),
    make("p", {}, `Training, validated at step ${last.step}: ${figures.join(", ")}`));
}

// As a shell takes it.
function quoted(path) {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
