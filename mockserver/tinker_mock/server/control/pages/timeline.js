// Where the time went: the promises of every lane, waiting and running.

import { el, svg, short, clockTime, figure } from "/_mock/ui/dom.js";
import { ask } from "/_mock/ui/api.js";

export const title = "Timeline";
const WINDOWS = [1, 10, 60, 600, 3600];
const WIDTH = 1000, LANES = 60;
const SAMPLER = /^(sampling:[^:]+):/;
let board = null, seconds = 0; // 0: as much as there is

export async function enter(place) {
  board = place;
  await refresh();
}

export function leave() { board = null; }

export async function refresh() {
  const [{ promises }, clock] = await Promise.all([ask("/_mock/promises"), ask("/_mock/clock")]);
  if (board) draw(promises, clock.now);
}

function draw(promises, now) {
  const last = promises.reduce((newest, promise) => Math.max(newest, promise.finished_at ?? promise.started_at ?? promise.submitted_at), 0);
  const end = promises.some((promise) => !promise.finished_at) ? now : last;
  const first = promises.reduce((oldest, promise) => Math.min(oldest, promise.submitted_at), end);
  const start = end - (seconds || WINDOWS.find((width) => width >= end - first) || WINDOWS.at(-1));
  const lanes = grouped(promises);
  const recent = [...lanes].filter(([, held]) => held.some((promise) => (promise.finished_at ?? now) >= start)).slice(-LANES);
  const choice = el("select", { "aria-label": "Seconds shown", onchange: (event) => { seconds = Number(event.target.value); refresh(); } },
    el("option", { value: 0, selected: seconds === 0 }, "all that fits"),
    ...WINDOWS.map((width) => el("option", { value: width, selected: width === seconds }, `last ${width} s`)));
  const legend = ["queued", "running", "held", "failed", "expired"].map((name) => {
    const box = svg("svg", { width: 12, height: 12 }, svg("rect", { width: 12, height: 12, rx: 3, class: name }));
    return el("span", { class: "key" }, box, name);
  });
  const rows = recent.map(([lane, held]) => el("div", { class: "lane" },
    el("span", { title: lane }, short(lane), el("br"), el("span", { class: "soft" }, pace(held))), track(held, start, end)));
  board.replaceChildren(el("div", { class: "bar" }, choice, ...legend),
    rows.length ? el("div", { class: "card" }, scale(start, end), ...rows) : el("p", { class: "empty" }, "No operation in this time. Promises appear here as clients submit them."));
}

function scale(start, end) {
  const marks = [1, 0.75, 0.5, 0.25, 0].map((part) => el("span", {}, part ? `−${figure(part * (end - start))} s` : clockTime(end)));
  return el("div", { class: "lane" }, el("span", { class: "soft" }, "lane"), el("div", { class: "marks soft" }, ...marks));
}

// By lane. The sampling clients of a session are one: a loop that samples makes a new one each step.
function grouped(promises) {
  const lanes = new Map();
  for (const promise of promises) {
    const lane = SAMPLER.exec(promise.lane)?.[1] ?? promise.lane;
    if (!lanes.has(lane)) lanes.set(lane, []);
    lanes.get(lane).push(promise);
  }
  return lanes;
}

// How long a lane stood still although its client was in the middle of a step.
function pace(held) {
  const steps = held.filter((promise) => promise.operation === "optim_step").length;
  const clients = new Set(held.map((promise) => promise.lane)).size;
  if (!steps) return clients > 1 ? `${held.length} operations of ${clients} clients` : `${held.length} operations`;
  const work = held.filter((promise) => promise.seq_id && promise.finished_at).sort((one, other) => one.seq_id - other.seq_id);
  let idle = 0;
  for (let place = 1; place < work.length; place += 1) idle += Math.max(0, work[place].submitted_at - work[place - 1].finished_at);
  return `${steps} steps, ${((1000 * idle) / steps).toFixed(1)} ms a step without work`;
}

function track(held, start, end) {
  const x = (at) => ((Math.max(at, start) - start) / (end - start)) * WIDTH;
  const bars = held.filter((promise) => (promise.finished_at ?? end) >= start).flatMap((promise) => {
    const begun = promise.started_at ?? promise.finished_at ?? end, ended = promise.finished_at ?? end;
    const about = svg("title", {}, `${promise.operation} ${promise.seq_id ?? ""} · ${promise.state} · waited ${(begun - promise.submitted_at).toFixed(3)} s, ran ${(ended - begun).toFixed(3)} s${promise.error ? ` · ${promise.error}` : ""}`);
    const kind = promise.held ? "held" : promise.state;
    return [
      svg("rect", { class: "queued", x: x(promise.submitted_at), y: 9, height: 8, width: Math.max(0, x(begun) - x(promise.submitted_at)) }),
      svg("rect", { class: kind, x: x(begun), y: 4, height: 18, rx: 2, width: Math.max(2.5, x(ended) - x(begun)) }, about),
    ];
  });
  return svg("svg", { viewBox: `0 0 ${WIDTH} 26`, preserveAspectRatio: "none", role: "img", "aria-label": `${held.length} operations` }, ...bars);
}
