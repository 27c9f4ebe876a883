// What the tab Animate works with. All of it is kept at the studio, so that a page that is loaded anew goes on.

import { getJson, sendJson } from "./api.js";

const SAVED_AFTER = 400; // milliseconds without a change
const FIRST = { portrait: "bundled:ada", driving: "bundled:hello" };

// portrait, driving: materials; faces: [{face: number, driving: id or null}] of those that move, none for the largest;
// controls: what Gradio's controls say; result: an id or null.
export const session = { portrait: null, driving: null, faces: [], controls: {}, result: null };

const watchers = new Set();
let saving = 0;
let restored = false;
const early = new Set(); // what was changed before that; it stays

// Call `act` with the names of what has changed, and with all as soon as the session is restored.
export function watch(act) {
  watchers.add(act);
  if (restored) act(new Set(Object.keys(session)));
}

export function change(changes) {
  const same = (name) => JSON.stringify(session[name]) === JSON.stringify(changes[name]);
  const names = Object.keys(changes).filter((name) => !same(name));
  if (names.length === 0) return;
  Object.assign(session, changes);
  if (!restored) names.forEach((name) => early.add(name));
  tell(names);
  clearTimeout(saving);
  saving = setTimeout(save, SAVED_AFTER);
}

// Say again that something has changed: its content has, and its name has not.
export function tell(names) {
  for (const act of watchers) act(new Set(names));
}

async function save() {
  if (!restored) return;
  const { portrait, driving, faces, controls, result } = session;
  const draft = { portrait: portrait?.id ?? null, driving: driving?.id ?? null, faces, controls, result };
  try {
    await sendJson("drafts/animate", draft, { method: "PUT" });
  } catch { /* the next change is saved, or what else is asked for says what is wrong */ }
}

// A material, or null where it is not there any more.
export async function material(id) {
  try {
    return await getJson(`materials/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

export async function restore() {
  const draft = await getJson("drafts/animate");
  const [portrait, driving] = await Promise.all(
    ["portrait", "driving"].map((kind) => material(draft[kind] ?? FIRST[kind])),
  );
  const { faces = [], controls = {}, result = null } = draft;
  const kept = { portrait, driving, faces, controls, result };
  for (const [name, value] of Object.entries(kept)) if (!early.has(name)) session[name] = value;
  restored = true;
  tell(Object.keys(session));
}
