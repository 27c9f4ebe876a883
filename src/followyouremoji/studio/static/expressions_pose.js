// The pose that the editor shows: amounts by name, as in sliders.py. All parts of the editor change this one.

class Pose extends EventTarget {
  amounts = {};
  sliders = new Map(); // by name

  // Merge some amounts; those of 0 are left out. "change" tells whoever shows it.
  change(some) {
    this.replace({ ...this.amounts, ...some });
  }

  replace(amounts) {
    const rounded = Object.entries(amounts).map(([name, amount]) => [name, Math.round(amount * 1000) / 1000]);
    this.amounts = Object.fromEntries(rounded.filter(([, amount]) => amount !== 0));
    this.dispatchEvent(new Event("change"));
  }

  of(name) {
    return this.amounts[name] ?? 0;
  }
}

export const pose = new Pose();

// Gradio's sliders, both ways: `show` has them show amounts.
export class Sliders {
  constructor(show) {
    const names = [...pose.sliders.keys()];
    this.names = names;
    this.shown = names.map(() => 0);
    window.addEventListener("fye-pose", ({ detail }) => this.#moved(names.map((name) => detail[name])));
    pose.addEventListener("change", () => this.#follow(show));
  }

  #follow(show) {
    const wanted = this.names.map((name) => pose.of(name));
    if (alike(wanted, this.shown)) return;
    // They move one after the other, and each tells of all: until all have moved that is no news.
    this.shown = this.awaited = wanted;
    show(wanted);
    setTimeout(() => { if (this.awaited === wanted) this.awaited = undefined; }, 400);
  }

  #moved(values) {
    if (this.awaited && !alike(values, this.awaited)) return;
    this.awaited = undefined;
    if (alike(values, this.shown)) return;
    this.shown = values;
    pose.change(Object.fromEntries(this.names.map((name, place) => [name, values[place]])));
  }
}

function alike(some, others) {
  return some.every((value, place) => Math.abs(value - others[place]) < 5e-4);
}

// Undo and redo, of states that are JSON.
export class Steps {
  static MOST = 100;

  constructor(state) {
    this.states = [JSON.stringify(state)];
    this.place = 0;
  }

  // Whether this is a new state.
  keep(state) {
    const text = JSON.stringify(state);
    if (text === this.states[this.place]) return false;
    this.states.splice(this.place + 1, Infinity, text);
    if (this.states.length > Steps.MOST) this.states.shift();
    this.place = this.states.length - 1;
    return true;
  }

  can(by) {
    return this.states[this.place + by] !== undefined;
  }

  go(by) {
    this.place += by;
    return JSON.parse(this.states[this.place]);
  }
}
