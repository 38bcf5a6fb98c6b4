// The page: tabs, keys, theme, and the one feed that all views hear.

import { el } from "/_mock/ui/dom.js";
import { ask, follow } from "/_mock/ui/api.js";
import * as exchanges from "/_mock/ui/exchanges.js";
import * as training from "/_mock/ui/training.js";
import * as timeline from "/_mock/ui/timeline.js";
import * as samples from "/_mock/ui/samples.js";
import * as checkpoints from "/_mock/ui/checkpoints.js";
import * as steering from "/_mock/ui/steering.js";

const VIEWS = { exchanges, training, timeline, samples, checkpoints, steering };
const place = document.getElementById("view"), status = document.getElementById("status");
let shown = null;

for (const [name, view] of Object.entries(VIEWS)) {
  const number = document.getElementById("tabs").children.length + 1;
  document.getElementById("tabs").append(el("button", { type: "button", role: "tab", id: `tab-${name}`,
    title: `${view.title} (${number})`, onclick: () => { location.hash = name; } }, view.title));
}

async function show() {
  const name = location.hash.slice(1).split("/")[0] in VIEWS ? location.hash.slice(1).split("/")[0] : "exchanges";
  for (const tab of document.getElementById("tabs").children) tab.setAttribute("aria-selected", tab.id === `tab-${name}`);
  shown?.leave?.();
  shown = VIEWS[name];
  place.className = "";
  place.replaceChildren();
  document.title = `${shown.title} – tinker-mock`;
  await guarded(() => shown.enter(place));
}

async function guarded(work) {
  try { await work(); } catch (error) {
    place.replaceChildren(el("p", { class: "finding" }, String(error.message || error)));
  }
}

let due = null, news = new Set(); // several exchanges at once are one look at the server
function heard(line) {
  exchanges.add(line);
  news.add(line.operation);
  due ??= setTimeout(told, 400);
}

async function told() {
  due = null;
  if (document.hidden) return; // what it missed is seen when somebody looks again
  const operations = news;
  news = new Set();
  try { await shown?.refresh?.(operations); } catch { /* the feed says when the mock is gone */ }
}

async function state() {
  const { counts, scenario, seed, parked } = await ask("/_mock/state");
  const said = [["session", counts.sessions], ["model", counts.runs], ["promise", counts.promises]]
    .map(([name, count]) => `${count} ${name}${count === 1 ? "" : "s"}`);
  status.textContent = [...said, `${parked} waiting`, `scenario ${scenario}`, `seed ${seed}`].join(" · ");
}

async function live() {
  for (;;) {
    try {
      await follow(heard, () => { exchanges.load(); state(); });
    } catch { /* the mock has ended or restarts: ask again */ }
    status.textContent = "the mock does not answer; trying again…";
    await new Promise((ready) => setTimeout(ready, 1500));
  }
}

const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const theme = (name) => { document.documentElement.dataset.theme = name; localStorage.setItem("theme", name); };
theme(localStorage.getItem("theme") || (dark() ? "dark" : "light"));
const turn = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
document.getElementById("theme").addEventListener("click", turn);

addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const names = Object.keys(VIEWS);
  if (event.key >= "1" && event.key <= String(names.length)) location.hash = names[event.key - 1];
  else if (event.key === "t") turn();
  else if (event.key === "/") { event.preventDefault(); place.querySelector("input[type=search]")?.focus(); }
  else shown?.key?.(event);
});
addEventListener("hashchange", show);
addEventListener("visibilitychange", () => { if (news.size) told(); });
setInterval(() => { if (!document.hidden) state().catch(() => {}); }, 5000);
show();
live();
