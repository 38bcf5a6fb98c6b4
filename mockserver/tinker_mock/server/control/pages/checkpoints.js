// Checkpoints of all keys: where they are, how long, and who may read them.

import { el, bytes, copy } from "/_mock/ui/dom.js";
import { ask, tell } from "/_mock/ui/api.js";

export const title = "Checkpoints";
const SAVES = /save|checkpoint|publish|ttl|delete|copy|retrieve_future/;
let board = null;

export async function enter(place) {
  board = place;
  await load();
}

export function leave() { board = null; }

export async function refresh(operations) {
  if ([...operations].some((name) => SAVES.test(name ?? ""))) await load();
}

const time = (seconds) => new Date(seconds * 1000).toLocaleString();

async function load() {
  const { checkpoints } = await ask("/_mock/checkpoints");
  if (!board) return;
  const change = async (body) => { await tell("POST", "/_mock/checkpoints", body); await load(); };
  const rows = checkpoints.reverse().map((kept) => el("tr", {},
    el("td", {}, el("button", { type: "button", title: "copy the path", onclick: (event) => copy(kept.path, event.target) }, kept.path)),
    el("td", {}, kept.base_model), el("td", { class: "number" }, String(kept.step)), el("td", { class: "number" }, bytes(kept.size_bytes)),
    el("td", {}, time(kept.created_at)), el("td", {}, kept.expires_at ? time(kept.expires_at) : "never"),
    el("td", { class: "bar" },
      el("button", { type: "button", onclick: () => change({ path: kept.path, public: !kept.public }) }, kept.public ? "unpublish" : "publish"),
      el("button", { type: "button", onclick: () => change({ path: kept.path, ttl_seconds: 0 }) }, "expire now"),
      kept.expires_at ? el("button", { type: "button", onclick: () => change({ path: kept.path, ttl_seconds: null }) }, "keep") : null,
      el("a", { href: `/_mock/checkpoints/archive?path=${encodeURIComponent(kept.path)}`, download: "" }, "download"))));
  board.replaceChildren(rows.length
    ? el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...["path", "base model", "step", "size", "saved", "expires", ""].map((name) => el("th", {}, name)))), el("tbody", {}, ...rows)))
    : el("p", { class: "empty" }, "Nothing was saved under a name yet. Weights that a client saves for itself alone, without a name, are not listed."));
}
