// The samples drawn last; each token is shaded by how unlikely it was.

import { el, clockTime, figure, short } from "/_mock/ui/dom.js";
import { ask } from "/_mock/ui/api.js";

export const title = "Samples";
let board = null, newest = null;

export async function enter(place) {
  board = place;
  newest = null;
  await refresh();
}

export function leave() { board = null; }

export async function refresh() {
  const { samples } = await ask("/_mock/samples?limit=40");
  if (!board || samples[0]?.number === newest) return; // a selection survives
  newest = samples[0]?.number;
  const cards = samples.map((sample) => el("section", { class: "card" },
    el("h2", {}, sample.base_model, el("span", { class: "soft", title: sample.sampler_id }, ` · ${clockTime(sample.at)} · ${short(sample.sampler_id)}`)),
    el("p", { class: "soft" }, Object.entries(sample.params).filter(([, value]) => value !== null).map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(" · "),
      sample.readable ? "" : " · token ids: no tokenizer of this model is at hand"),
    el("div", { class: "sample" }, el("span", { class: "prompt" }, ...sample.prompt.map((piece) => piece.text))),
    ...sample.sequences.map((sequence) => el("div", { class: "sample" }, ...sequence.pieces.map(shaded), el("span", { class: "soft" }, ` [${sequence.stop_reason}]`)))));
  board.replaceChildren(...(cards.length ? [el("div", { class: "cards" }, ...cards)]
    : [el("p", { class: "empty" }, "Nothing was sampled yet.")]));
}

function shaded(piece) {
  const node = el("span", { class: "piece", title: `${piece.token}: log-probability ${figure(piece.logprob)}, ${(100 * Math.exp(piece.logprob)).toFixed(1)} %` }, piece.text);
  const surprise = Math.min(1, -piece.logprob / 8);
  node.style.background = `color-mix(in srgb, var(--request) ${Math.round(surprise * 45)}%, transparent)`;
  return node;
}
