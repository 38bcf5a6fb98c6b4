// What can be changed while the mock runs: scenario, clock, snapshots, scripts, the start.

import { el, json, clockTime, copy } from "/_mock/ui/dom.js";
import { ask, tell } from "/_mock/ui/api.js";

export const title = "Steer";
let board = null;

export async function enter(place) {
  board = place;
  await load();
}

export function leave() { board = null; }

async function load() {
  const [scenario, scenarios, clock, snapshots, scripts] = await Promise.all(
    ["scenario", "scenarios", "clock", "snapshots", "scripts"].map((name) => ask(`/_mock/${name}`)));
  if (!board) return;
  const said = el("p", { class: "reading", role: "status" });
  const act = (work) => async () => {
    try { await work(); await load(); } catch (error) { said.textContent = error.message; }
  };
  const button = (name, work) => el("button", { type: "button", onclick: act(work) }, name);
  const choice = el("select", { "aria-label": "Scenario", onchange: act(() => tell("PUT", "/_mock/scenario", { name: choice.value })) },
    ...Object.keys(scenarios.scenarios).map((name) => el("option", { value: name, selected: name === scenario.name }, name)));
  const seconds = el("input", { type: "number", min: "0", value: "60", "aria-label": "Seconds" });
  const pattern = el("input", { placeholder: "prompt contains…", "aria-label": "Prompt contains" });
  const answer = el("input", { placeholder: "answer", "aria-label": "Answer" });
  const script = () => tell("POST", "/_mock/scripts", { pattern: pattern.value, completion: answer.value });
  const manual = ["manual", "auto"].includes(clock.kind);
  board.replaceChildren(said, el("div", { class: "cards" },
    el("section", { class: "card" }, el("h2", {}, "Scenario"), el("div", { class: "bar" }, choice,
      el("button", { type: "button", onclick: (event) => copy(scenario.text, event.target) }, "copy as YAML")),
      el("p", { class: "soft" }, scenario.summary),
      ...scenario.rules.map((rule) => el("div", {}, `${rule.name}: applied ${rule.applied} times`))),
    el("section", { class: "card" }, el("h2", {}, "Clock"), el("p", {}, `${clock.kind}, ${new Date(clock.now * 1000).toISOString()}, ${clock.timers} timers`),
      manual ? el("div", { class: "bar" }, seconds, button("advance", () => tell("POST", "/_mock/clock/advance", { seconds: Number(seconds.value) })))
        : el("p", { class: "soft" }, "It runs by itself; start the mock with --clock manual to move it from here.")),
    el("section", { class: "card" }, el("h2", {}, "Snapshots"), el("div", { class: "bar" }, button("take", () => tell("POST", "/_mock/snapshots"))),
      ...snapshots.snapshots.map((kept) => el("div", { class: "bar" }, `${kept.id}, ${clockTime(kept.taken_at)}`,
        button("restore", () => tell("POST", `/_mock/snapshots/${kept.id}/restore`)), button("forget", () => tell("DELETE", `/_mock/snapshots/${kept.id}`))))),
    el("section", { class: "card" }, el("h2", {}, "Scripts"), el("div", { class: "bar" }, pattern, answer, button("add", script)), ...scripts.scripts.map((script) => el("pre", {}, json(script))),
      scripts.scripts.length ? button("forget all", () => tell("DELETE", "/_mock/scripts")) : el("p", { class: "soft" }, "No scripted answers.")),
    el("section", { class: "card" }, el("h2", {}, "Start again"), el("p", { class: "soft" }, "State, journal, plans, scripts and scenario as after a fresh start."),
      button("reset", async () => { if (confirm("Forget everything?")) await tell("POST", "/_mock/reset"); }))));
}
