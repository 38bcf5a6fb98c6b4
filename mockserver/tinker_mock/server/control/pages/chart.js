// A line chart of several runs over their steps, with the values under the pointer.

import { el, svg, figure } from "/_mock/ui/dom.js";

const WIDTH = 420, HEIGHT = 170, LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 20;
const MOST = 600; // points drawn of a run: more than the screen has columns

function thinned(points) {
  const every = Math.ceil(points.length / MOST);
  return points.filter((_, place) => place % every === 0 || place === points.length - 1);
}

function ticks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const step = 10 ** Math.floor(Math.log10(span / 3));
  const wide = [1, 2, 5, 10].map((times) => times * step).find((candidate) => span / candidate <= 5);
  const found = [];
  for (let at = Math.ceil(low / wide) * wide; at <= high + 1e-12; at += wide) found.push(at);
  return found;
}

// runs: [{name, colour, points: [[step, value], …]}]
export function chart(title, about, runs) {
  const reading = el("div", { class: "reading", "aria-live": "off" });
  const drawn = runs.filter((run) => run.points.length);
  const all = drawn.flatMap((run) => run.points).filter(([, value]) => Number.isFinite(value));
  const steps = all.map(([step]) => step), values = all.map(([, value]) => value);
  let [left, right] = [Math.min(...steps), Math.max(...steps)];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (left === right) [left, right] = [left - 1, right + 1];
  if (low === high) { const room = Math.abs(low) * 0.1 || 1; [low, high] = [low - room, high + room]; }
  const x = (step) => LEFT + ((step - left) / (right - left)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const board = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "chart",
    role: "img", "aria-label": `${title}, ${drawn.length} runs` });
  for (const value of ticks(low, high)) {
    board.append(svg("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 4, y: y(value) + 3, "text-anchor": "end" }, figure(value)));
  }
  for (const step of ticks(left, right).filter(Number.isInteger)) {
    board.append(svg("text", { x: x(step), y: HEIGHT - 6, "text-anchor": "middle" }, String(step)));
  }
  for (const run of drawn) {
    const path = thinned(run.points).map(([step, value], place) => `${place ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
    const line = svg("path", { class: "curve", d: path.join("") });
    line.style.stroke = run.colour;
    board.append(line);
  }
  const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, x1: -9, x2: -9 });
  board.append(cursor);
  const newest = () => { reading.replaceChildren(...drawn.map((run) => said(run, run.points.at(-1)))); };
  board.addEventListener("pointermove", (event) => {
    const box = board.getBoundingClientRect();
    const wanted = left + (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT) * (right - left);
    const near = (run) => run.points.reduce((best, point) => Math.abs(point[0] - wanted) < Math.abs(best[0] - wanted) ? point : best);
    const found = drawn.map((run) => [run, near(run)]);
    cursor.setAttribute("x1", x(found[0][1][0]));
    cursor.setAttribute("x2", x(found[0][1][0]));
    reading.replaceChildren(...found.map(([run, point]) => said(run, point)));
  });
  board.addEventListener("pointerleave", () => { cursor.setAttribute("x1", -9); cursor.setAttribute("x2", -9); newest(); });
  newest();
  return el("section", { class: "card" }, el("h2", { title: about }, title), board, reading,
    about ? el("p", { class: "about" }, about) : null);
}

function said(run, [step, value]) {
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = run.colour;
  return el("span", { class: "key" }, swatch, `step ${step}: ${figure(value)}`);
}
