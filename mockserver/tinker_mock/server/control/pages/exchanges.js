// Every exchange of the journal, newest last, and one of them in full.

import { el, json, bytes, clockTime, copy } from "/_mock/ui/dom.js";
import { ask, tell, text } from "/_mock/ui/api.js";

export const title = "Exchanges";
const HEIGHT = 26, KEPT = 20000;
let lines = [], found = [], wanted = "", verdict = "", chosen = null, following = true, page = null;

export function add(line) {
  if (lines.length && line.number <= lines.at(-1).number && lines.some((known) => known.number === line.number)) return;
  lines.push(line);
  if (lines.length > KEPT) lines = lines.slice(-KEPT);
  if (fits(line)) found.push(line);
  page?.draw();
}

export async function load() {
  lines = (await ask("/_mock/journal?view=line")).entries;
  choose();
}

function fits(line) {
  if (verdict && line.verdict !== verdict) return false;
  const said = `${line.operation} ${line.path} ${line.status} ${line.client} ${line.effects}`.toLowerCase();
  return wanted.split(/\s+/).every((word) => said.includes(word));
}

function choose() {
  found = lines.filter(fits);
  page?.draw();
}

export function enter(place) {
  place.className = "split alone";
  const rows = el("div", { class: "rows", tabindex: "0", role: "listbox", "aria-label": "Exchanges" });
  const room = el("div");
  rows.append(room);
  const detail = el("article", { class: "detail", "aria-live": "polite" });
  const search = el("input", { type: "search", placeholder: "operation, path, status, client…  ( / )", value: wanted,
    "aria-label": "Filter", oninput: (event) => { wanted = event.target.value.toLowerCase(); choose(); } });
  const verdicts = el("select", { "aria-label": "Verdict", onchange: (event) => { verdict = event.target.value; choose(); } },
    ...["", "ok", "request", "response", "refused", "fault", "gone"].map((name) => el("option", { value: name, selected: name === verdict }, name || "all verdicts")));
  const exports = ["cassette", "har", "jsonl"].map((format) => el("button", { type: "button",
    onclick: async (event) => copy(await text(`/_mock/journal/export?format=${format}`), event.target) }, `copy ${format}`));
  place.append(el("div", { class: "column" }, el("div", { class: "bar" }, search, verdicts, ...exports), rows), detail);

  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      room.style.height = `${found.length * HEIGHT}px`;
      if (following) rows.scrollTop = rows.scrollHeight;
      const first = Math.max(0, Math.floor(rows.scrollTop / HEIGHT) - 5);
      const last = Math.min(found.length, first + Math.ceil(rows.clientHeight / HEIGHT) + 10);
      room.replaceChildren(...found.slice(first, last).map((line, place) => row(line, first + place)));
      if (!found.length) room.append(el("p", { class: "empty" }, lines.length ? "No exchange fits the filter." : "No exchange yet. They appear here as clients send requests."));
    });
  }
  rows.addEventListener("scroll", () => {
    following = rows.scrollTop + rows.clientHeight >= rows.scrollHeight - HEIGHT;
    draw();
  });
  function row(line, at) {
    const node = el("div", { class: "row", role: "option", "aria-selected": line.number === chosen, onclick: () => open(line.number) },
      el("span", { class: "time soft" }, clockTime(line.time)),
      el("span", { class: `number ${line.verdict}`, title: line.verdict }, String(line.status ?? "—")),
      el("span", { title: line.path }, line.operation || `${line.method} ${line.path}`),
      el("span", { class: "number soft" }, `${line.milliseconds.toFixed(0)} ms`),
      el("span", { class: "client soft" }, line.effects ? `[${line.effects}]` : line.client));
    node.style.top = `${at * HEIGHT}px`;
    return node;
  }
  async function open(number) {
    chosen = number;
    draw();
    place.className = "split";
    detail.replaceChildren(await inFull(number));
  }
  page = { draw, open };
  choose();
}

export function leave() { page = null; }

export function key(event) {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!step || !page) return;
  event.preventDefault();
  const at = found.findIndex((line) => line.number === chosen);
  const next = found[at < 0 ? found.length - 1 : Math.min(found.length - 1, Math.max(0, at + step))];
  if (next) page.open(next.number);
}

async function inFull(number) {
  const entry = await ask(`/_mock/journal/${number}`);
  const curl = entry.curl.replaceAll('"$MOCK"', location.origin);
  const answer = el("pre", { hidden: true });
  const again = el("button", { type: "button", onclick: () => resend(entry, answer) }, "send again");
  return el("div", {},
    el("h2", {}, el("span", { class: entry.verdict }, `${entry.status ?? "no answer"} `), entry.operation || "no operation"),
    el("p", { class: "soft" }, `${entry.method} ${entry.path} · ${entry.milliseconds.toFixed(1)} ms · ${bytes(entry.request_size)} in, ${bytes(entry.response_size)} out · ${entry.client || "unknown client"} · ${entry.verdict}`),
    ...entry.violations.map((finding) => el("div", { class: "finding" }, el("b", {}, finding.pointer || "/"), ` ${finding.message}`,
      finding.fix ? el("div", { class: "soft" }, `fix: ${finding.fix}`) : null)),
    ...(entry.unknown_fields.length ? [el("p", { class: "soft" }, `unknown fields: ${entry.unknown_fields.join(", ")}`)] : []),
    el("div", { class: "bar" }, el("button", { type: "button", onclick: (event) => copy(curl, event.target) }, "copy curl"), again),
    answer,
    ...part("Request", entry.request_message ?? entry.request_body), ...part("Answer", entry.response_message ?? entry.response_body),
    ...part("Request headers", entry.request_headers), ...part("Answer headers", entry.response_headers), ...part("curl", curl));
}

function part(name, value) {
  const said = typeof value === "string" ? value : json(value);
  return said ? [el("h3", {}, name), el("pre", {}, said)] : [];
}

async function resend(entry, answer) {
  const { status, body } = await tell("POST", `/_mock/journal/${entry.number}/send`);
  answer.hidden = false;
  answer.textContent = `${status ?? "no answer"}\n${json(body)}`;
}
