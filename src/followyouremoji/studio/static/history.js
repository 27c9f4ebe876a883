// The tab History: results, the latest first; those that were asked for together under one bar.

import { getJson, sendJson } from "./api.js";
import { BatchPanel } from "./batch.js";
import { icon, make, problem } from "./dom.js";
import { Card, confirmed, UNDER_WAY } from "./history_card.js";
import { onShown, openTab } from "./tabs.js";

const OFTEN = 1000; // milliseconds between questions while something is made and looked at

export function mount(element) {
  const history = new History(element.querySelector(".fye-history"));
  element.querySelector(".fye-batch-icon").append(icon("stack"));
  element.querySelector(".fye-batch-open").append(icon("chevron"));
  new BatchPanel(element.querySelector(".fye-batch"), () => history.refresh());
  onShown(element, () => history.refresh());
}

class History {
  constructor(element) {
    Object.assign(this, { element, cards: new Map(), groups: new Map(), defaults: {} });
    this.size = make("p", { className: "fye-hint" });
    this.clear = make("div");
    this.problem = problem();
    this.list = make("div", { className: "fye-results" });
    this.empty = make("div", { className: "fye-invite", hidden: true },
      make("img", { src: "/studio/static/logo.svg", alt: "" }),
      make("div", {}, make("h2", {}, "Nothing yet."),
        make("p", {}, "Every animation that you make is kept here, to be played, taken home or made again, until you delete it."),
        make("button", { type: "button", className: "fye-button fye-primary", onclick: () => openTab("Animate") }, "Animate a portrait")));
    const head = make("div", { className: "fye-history-head" }, make("h2", {}, "History"), this.size, this.clear);
    element.append(head, this.problem.element, this.empty, this.list);
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const about = await getJson("history");
      this.defaults = about.defaults;
      this.size.textContent = `Your files take ${megabytes(about.bytes)} of ${megabytes(about.most)}.`;
      await this.look();
    } catch (error) {
      this.problem.say(error.message);
    }
  }

  // Ask how the results are, and again while some are made and somebody looks.
  async look() {
    clearTimeout(this.timer);
    const results = await getJson("results");
    this.problem.clear();
    const making = results.filter((one) => UNDER_WAY.includes(one.state)).length;
    this.show(results);
    const ended = this.making > making;
    this.making = making;
    if (ended) this.refresh(); // they take room
    else if (making) {
      this.timer = setTimeout(() => this.element.offsetParent && this.look().catch((error) => this.problem.say(error.message)), OFTEN);
    }
  }

  show(results) {
    this.empty.hidden = results.length > 0;
    const finished = results.filter((one) => !UNDER_WAY.includes(one.state)).length;
    if (this.finished !== finished) {
      this.finished = finished;
      const all = () => sendJson("history", {}, { method: "DELETE" }).catch((error) => this.problem.say(error.message)).then(() => this.refresh());
      this.clear.replaceChildren(...(finished ? [confirmed("Delete all", `Delete ${finished === 1 ? "the result" : `all ${finished} results`}?`, all)] : []));
    }
    const cards = new Map();
    const groups = new Map();
    const order = [];
    for (const result of results) {
      const card = this.cards.get(result.id) ?? new Card(result, this.defaults, () => this.refresh());
      card.update(result);
      cards.set(result.id, card);
      if (!result.batch) {
        order.push(card.element);
        continue;
      }
      if (!groups.has(result.batch)) {
        groups.set(result.batch, this.groups.get(result.batch) ?? new Group(result.batch, () => this.refresh()));
        order.push(groups.get(result.batch).element);
      }
    }
    for (const [id, group] of groups) group.update(results.filter((one) => one.batch === id), cards);
    Object.assign(this, { cards, groups });
    arrange(this.list, order);
  }
}

// A batch: one bar over all of it, and its results.
class Group {
  constructor(id, changed) {
    this.state = make("span", { role: "status" });
    this.bar = make("progress", { max: 1, "aria-label": "The whole batch" });
    this.cancel = make("button", {
      type: "button", className: "fye-button",
      onclick: () => sendJson(`batches/${id}/cancel`, {}).catch((error) => this.problem.say(error.message)).then(changed),
    }, "Cancel the batch");
    this.file = make("a", { className: "fye-button", href: `/studio/batches/${id}/file`, download: "animations.zip" }, "Download all as ZIP");
    this.problem = problem();
    this.list = make("div", { className: "fye-results" });
    this.element = make("section", { className: "fye-group-card", "aria-label": "Batch" },
      make("div", { className: "fye-history-head" }, make("h3", {}, "Batch"), this.state, this.cancel, this.file),
      this.bar, this.problem.element, this.list);
  }

  update(results, cards) {
    const share = (one) => (one.job?.total ? one.job.done / one.job.total : 0);
    const made = results.reduce((sum, one) => sum + (UNDER_WAY.includes(one.state) ? share(one) : 1), 0);
    const count = (states) => results.filter((one) => states.includes(one.state)).length;
    const [done, open, wrong] = [count(["done"]), count(UNDER_WAY), count(["failed"])];
    this.state.textContent = `${done} of ${results.length} made${wrong ? `, ${wrong} failed` : ""}`;
    this.bar.value = made / results.length;
    this.bar.hidden = !open;
    this.cancel.hidden = !open;
    this.file.hidden = !done;
    arrange(this.list, results.toReversed().map((one) => cards.get(one.id).element));
  }
}

// Put elements in an order, touching only those that are elsewhere: one that plays goes on.
function arrange(parent, elements) {
  elements.forEach((element, place) => {
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
  });
  while (parent.children.length > elements.length) parent.lastElementChild.remove();
}

function megabytes(bytes) {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
