"""Release × step: the result of an audit, and its forms."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tinker_mock.suite.sdk.release_run import ABSENT, FAIL, PASS, Cell, Column

SIGNS = {PASS: "✓", FAIL: "✗", ABSENT: "–"}
BEGIN, END = "<!-- sdk-matrix:begin -->", "<!-- sdk-matrix:end -->"


@dataclass
class Matrix:
    """Columns are releases, oldest first; `texts` explains each step."""

    columns: list[Column]
    texts: dict[str, str]

    @property
    def clean(self) -> bool:
        return bool(self.columns) and all(column.clean for column in self.columns)

    def failures(self) -> Iterator[str]:
        """One line for every failed cell and every broken exchange."""
        for column in self.columns:
            for step in self.texts:
                cell = self.cell(column, step)
                if cell.status == FAIL:
                    yield f"{column.name} {step}: {cell.reason}"
            yield from (f"{column.name} wire, {broken}" for broken in column.violations)

    def cell(self, column: Column, step: str) -> Cell:
        return column.cells.get(step, Cell(FAIL, "did not run"))

    def groups(self) -> dict[str, list[str]]:
        """Group → its steps, in the order they run."""
        found: dict[str, list[str]] = {}
        for step in self.texts:
            found.setdefault(step.partition("/")[0], []).append(step)
        return found

    def save(self, directory: Path) -> None:
        """Write audit.json, audit.md and audit.html."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "audit.json").write_text(self.as_json(), encoding="utf-8")
        (directory / "audit.md").write_text(self.as_markdown() + "\n", encoding="utf-8")
        (directory / "audit.html").write_text(self.as_html(), encoding="utf-8")

    def as_json(self) -> str:
        document = {
            "steps": self.texts,
            "releases": [column.as_dict() for column in self.columns],
            "clean": self.clean,
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """For the terminal: a row a step, a column a release."""
        width = max(map(len, self.texts), default=0)
        names = [column.name for column in self.columns]
        lines = [" " * width + "".join(f"{name:>6}" for name in names)]
        for step in self.texts:
            signs = (SIGNS[self.cell(column, step).status] for column in self.columns)
            lines.append(f"{step:<{width}}" + "".join(f"{sign:>6}" for sign in signs))
        return "\n".join(lines)

    def summary(self) -> str:
        steps = sum(column.count(PASS) for column in self.columns)
        failed = sum(column.count(FAIL) for column in self.columns)
        absent = sum(column.count(ABSENT) for column in self.columns)
        exchanges = sum(column.exchanges for column in self.columns)
        broken = sum(len(column.violations) for column in self.columns)
        return (
            f"{len({c.release for c in self.columns})} releases, {len(self.texts)} steps: "
            f"{steps} passed, {failed} failed, {absent} not in the release; "
            f"{exchanges} exchanges judged in both directions, {broken} broken"
        )

    def as_markdown(self) -> str:
        """A row a release: passed of possible, by group; every step in a fold-out."""
        groups = self.groups()
        rows = [
            "| release | " + " | ".join(groups) + " | flags on |",
            "|---|" + ":-:|" * (len(groups) + 1),
        ]
        again = {column.release: column for column in self.columns if column.flags}
        for column in (column for column in self.columns if not column.flags):
            shares = [self._share(column, steps) for steps in groups.values()]
            flagged = again.get(column.release)
            shares.append(self._share(flagged, list(self.texts)) if flagged else SIGNS[ABSENT])
            rows.append(f"| {column.release} | {' | '.join(shares)} |")
        names = [column.name for column in self.columns]
        full = ["| step | " + " | ".join(names) + " |", "|---|" + ":-:|" * len(names)]
        for step, text in self.texts.items():
            signs = (SIGNS[self.cell(column, step).status] for column in self.columns)
            full.append(f"| {text} | {' | '.join(signs)} |")
        folded = ["", "<details><summary>Every step</summary>", "", *full, "", "</details>"]
        legend = (
            "Steps passed of those the release has. ✓ passed, ✗ failed, – not in that release, "
            "⚑ with every optional path of the SDK turned on."
        )
        return "\n".join([f"{self.summary()}.", "", *rows, "", legend, *folded])

    def _share(self, column: Column, steps: list[str]) -> str:
        cells = [self.cell(column, step) for step in steps]
        possible = [cell for cell in cells if cell.status != ABSENT]
        passed = sum(1 for cell in possible if cell.status == PASS)
        return f"{passed}/{len(possible)}" if possible else SIGNS[ABSENT]

    def as_html(self) -> str:
        """One page; the reason of a cell is its tooltip."""
        heads = "".join(f"<th>{escape(c.name)}</th>" for c in self.columns)
        rows = []
        for step, text in self.texts.items():
            cells = []
            for column in self.columns:
                cell = self.cell(column, step)
                kind = {PASS: "p", FAIL: "f", ABSENT: "a"}[cell.status]
                title = escape(cell.reason or f"{cell.seconds} s", quote=True)
                cells.append(f'<td class="{kind}" title="{title}">{SIGNS[cell.status]}</td>')
            name = f'<th title="{escape(text, quote=True)}">{escape(step)}</th>'
            rows.append(f"<tr>{name}{''.join(cells)}</tr>")
        broken = "".join(f"<li>{escape(line)}</li>" for line in self.failures())
        return PAGE.format(
            summary=escape(self.summary()), heads=heads, rows="\n".join(rows), broken=broken
        )


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the matrix markers of a Markdown file.

    Raises ValueError if the file has no such markers.
    """
    content = path.read_text(encoding="utf-8")
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: put {BEGIN} and {END} where the matrix belongs")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>SDK audit</title>
<style>
body {{ font: 14px system-ui; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th {{ text-align: left; font-weight: 500; padding: 2px 6px; }}
td {{ text-align: center; padding: 2px 6px; border: 1px solid #ddd; }}
.p {{ background: #e5f5e8; }} .f {{ background: #f8c9c9; }} .a {{ color: #999; }}
</style>
<h1>SDK audit</h1><p>{summary}</p>
<table><tr><th>step</th>{heads}</tr>
{rows}
</table>
<ul>{broken}</ul>
</html>
"""
