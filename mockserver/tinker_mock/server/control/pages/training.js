// Curves of the models under training, several runs over one another.

import { el } from "/_mock/ui/dom.js";
import { ask } from "/_mock/ui/api.js";
import { chart } from "/_mock/ui/chart.js";

export const title = "Training";
const FIRST = ["loss per token", "loss:sum", "advantage:mean", "kl_sampler_trainer:mean", "learning rate"];
const TRAINS = new Set(["optim_step", "create_model"]);
let models = new Map(), hidden = new Set(), board = null;

const colour = (place) => `var(--s${place % 6})`;

async function load() {
  for (const model of (await ask("/_mock/training")).models) models.set(model.model_id, model);
}

export async function enter(place) {
  models = new Map();
  await load();
  board = place;
  draw();
}

export function leave() { board = null; }

export async function refresh(line) {
  if (!TRAINS.has(line.operation) && line.operation !== "retrieve_future") return;
  await load();
  if (board) draw();
}

function draw() {
  const runs = [...models.values()];
  if (!runs.length) {
    board.replaceChildren(el("p", { class: "empty" }, "No optimizer step yet. Curves appear here as soon as a client calls forward_backward and optim_step."));
    return;
  }
  const names = new Set(runs.flatMap((run) => run.points.flatMap((point) => Object.keys(point.values))));
  const ordered = [...FIRST.filter((name) => names.has(name)), ...[...names].filter((name) => !FIRST.includes(name)).sort()];
  const keys = runs.map((run, place) => {
    const swatch = el("span", { class: "swatch" });
    swatch.style.background = colour(place);
    const box = el("input", { type: "checkbox", checked: !hidden.has(run.model_id),
      onchange: (event) => { hidden[event.target.checked ? "delete" : "add"](run.model_id); draw(); } });
    return el("label", { class: "key", title: run.model_id }, box, swatch,
      `${run.base_model ?? "gone"} · ${run.model_id.slice(0, 8)}${run.model_id.slice(run.model_id.indexOf(":"))} · ${run.points.length} steps`);
  });
  const charts = ordered.map((name) => chart(name, runs.map((run, place) => ({
    name: run.model_id, colour: colour(place), points: hidden.has(run.model_id) ? []
      : run.points.filter((point) => name in point.values).map((point) => [point.step, point.values[name]]) }))
    .filter((run) => run.points.length)));
  board.replaceChildren(el("div", { class: "bar" }, ...keys), el("div", { class: "cards" }, ...charts));
}
