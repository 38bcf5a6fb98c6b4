// Small pieces of page: elements, numbers and times as text.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

// An id without the middle of its UUID: what tells it from its neighbours stays.
export function short(id) {
  return id.replace(/([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "$1");
}

export function clockTime(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  for (; count >= 1000 && unit < units.length - 1; unit += 1) count /= 1000;
  return `${Number(count.toPrecision(3))} ${units[unit]}`;
}

export function json(value) {
  return value === null || value === undefined ? "" : JSON.stringify(value, null, 2);
}

export async function copy(text, button) {
  const before = button.textContent;
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  button.textContent = done || selected(text) ? "copied" : "not allowed here";
  setTimeout(() => { button.textContent = before; }, 1200);
}

// Browsers keep the clipboard from pages that are neither on this machine nor behind TLS.
function selected(text) {
  const room = el("textarea", {}, text);
  document.body.append(room);
  room.select();
  const done = document.execCommand("copy");
  room.remove();
  return done;
}
