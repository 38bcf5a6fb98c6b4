// Curves of the models under training, several runs over one another.

import { el, short } from "/_mock/ui/dom.js";
import { ask } from "/_mock/ui/api.js";
import { chart } from "/_mock/ui/chart.js";

export const title = "Training";
const FIRST = ["loss per token", "loss:sum", "advantage_spread:mean", "advantage_positive:mean", "advantage:mean",
  "kl_sampler_trainer:mean", "ratio:mean", "sampled_entropy:mean", "sequence_tokens:mean", "learning rate"];
const SAYS = {
  "loss per token": "loss:sum, by the sum of the weights or the number of targets that count",
  "advantage:mean": "of the targets that carry an advantage",
  "advantage_positive:mean": "share of the sequences that did better than their baseline",
  "advantage_spread:mean": "a prompt's best sequence less its worst: what its rewards differ by, where advantages are rewards less a mean",
  "kl_sampler_trainer:mean": "log-probability at the sampler less at the trainer, mean; 0 on-policy",
  "ratio:mean": "probability at the trainer by that at the sampler; 1 on-policy",
  "sampled_entropy:mean": "minus the sampler's log-probability of its tokens: an estimate of its entropy, in nats",
  "sequence_tokens:mean": "targets with an advantage in a sequence",
  "unclipped_grad_l2:mean": "the gradient's norm before clipping; reported by steps that clip",
};
const TRAINS = ["optim_step", "create_model", "retrieve_future"];
let models = new Map(), hidden = new Set(), board = null, newest = 0;

const colour = (place) => `var(--s${place % 6})`;

// Only what is new since the last look, and the points of that moment once more.
async function load() {
  const { models: told } = await ask(`/_mock/training?since=${newest}`);
  const known = models, since = newest;
  models = new Map(told.map((model) => {
    const before = (known.get(model.model_id)?.points ?? []).filter((point) => point.at < since);
    return [model.model_id, { ...model, points: [...before, ...model.points] }];
  }));
  newest = told.flatMap((model) => model.points).reduce((latest, point) => Math.max(latest, point.at), newest);
}

export async function enter(place) {
  models = new Map();
  newest = 0;
  await load();
  board = place;
  draw();
}

export function leave() { board = null; }

export async function refresh(operations) {
  if (!TRAINS.some((name) => operations.has(name))) return;
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
      `${run.base_model ?? "gone"} · ${short(run.model_id)} · ${run.points.length} steps`);
  });
  const charts = ordered.map((name) => chart(name, SAYS[name], runs.map((run, place) => ({
    name: run.model_id, colour: colour(place), points: hidden.has(run.model_id) ? []
      : run.points.filter((point) => name in point.values).map((point) => [point.step, point.values[name]]) }))
    .filter((run) => run.points.length)));
  const note = names.has("advantage:mean") ? el("p", { class: "soft" },
    "Rewards stay with your loop. What arrives of them are advantages, and these tell who did better than its group, and by how much.") : null;
  board.replaceChildren(el("div", { class: "bar" }, ...keys), ...(note ? [note] : []), el("div", { class: "cards" }, ...charts));
}
