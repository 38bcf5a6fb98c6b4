// The page of a contract: the inspector's theme, and a filter (press /) over operations and schemas.
const stored = localStorage.getItem("theme");
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = stored || (dark ? "dark" : "light");

const filter = document.getElementById("filter");
const rows = [...document.querySelectorAll("main > table:first-of-type tr")];
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target === filter) return;
  event.preventDefault();
  filter.focus();
});
