"""Release × step: the result of an audit, and its forms."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tinker_mock.suite.sdk.release_run import (
    ABSENT,
    CLIENT,
    FAIL,
    PASS,
    ReleaseRun,
    StepResult,
)

SIGNS = {PASS: "✓", FAIL: "✗", ABSENT: "–"}
BEGIN, END = "<!-- sdk-matrix:begin -->", "<!-- sdk-matrix:end -->"


@dataclass
class Matrix:
    """`runs` are of the oldest release first; `texts` explains each step."""

    runs: list[ReleaseRun]
    texts: dict[str, str]

    @property
    def clean(self) -> bool:
        return bool(self.runs) and all(run.clean for run in self.runs)

    def failures(self) -> Iterator[str]:
        """One line for every failed step and every broken exchange."""
        for run in self.runs:
            for step in self.texts:
                result = self.result(run, step)
                if result.status == FAIL:
                    yield f"{run.name} {step}: {result.reason}"
            yield from (f"{run.name} wire, {broken}" for broken in run.violations)

    def result(self, run: ReleaseRun, step: str) -> StepResult:
        return run.steps.get(step, StepResult(FAIL, "did not run"))

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
            "releases": [run.as_dict() for run in self.runs],
            "clean": self.clean,
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """For the terminal: a row a step, a column a release."""
        width = max(map(len, self.texts), default=0)
        names = [run.name for run in self.runs]
        cell = max(6, *(len(name) + 1 for name in names)) if names else 6
        lines = [" " * width + "".join(f"{name:>{cell}}" for name in names)]
        for step in self.texts:
            signs = (SIGNS[self.result(run, step).status] for run in self.runs)
            lines.append(f"{step:<{width}}" + "".join(f"{sign:>{cell}}" for sign in signs))
        return "\n".join(lines)

    def summary(self) -> str:
        steps = sum(run.count(PASS) for run in self.runs)
        failed = sum(run.count(FAIL) for run in self.runs)
        absent = sum(run.count(ABSENT) for run in self.runs)
        exchanges = sum(run.exchanges for run in self.runs)
        broken = sum(len(run.violations) for run in self.runs)
        return (
            f"{self._who()}, {len(self.texts)} steps: "
            f"{steps} passed, {failed} failed, {absent} not in the release; "
            f"{exchanges} exchanges judged in both directions, {broken} broken"
        )

    def _who(self) -> str:
        known = {run.release for run in self.runs}
        releases = len(known - {CLIENT})
        text = f"{releases} release{'' if releases == 1 else 's'}"
        return f"{text} and the reference client" if CLIENT in known else text

    def as_markdown(self) -> str:
        """A row a release: passed of possible, by group; every step in a fold-out."""
        groups = self.groups()
        rows = [
            "| release | " + " | ".join(groups) + " | flags on |",
            "|---|" + ":-:|" * (len(groups) + 1),
        ]
        again = {run.release: run for run in self.runs if run.flags}
        for run in (run for run in self.runs if not run.flags):
            shares = [self._share(run, steps) for steps in groups.values()]
            flagged = again.get(run.release)
            shares.append(self._share(flagged, list(self.texts)) if flagged else SIGNS[ABSENT])
            rows.append(f"| {run.release} | {' | '.join(shares)} |")
        names = [run.name for run in self.runs]
        full = ["| step | " + " | ".join(names) + " |", "|---|" + ":-:|" * len(names)]
        for step, text in self.texts.items():
            signs = (SIGNS[self.result(run, step).status] for run in self.runs)
            full.append(f"| {text} | {' | '.join(signs)} |")
        folded = ["", "<details><summary>Every step</summary>", "", *full, "", "</details>"]
        legend = (
            "Steps passed of those the release has. ✓ passed, ✗ failed, – not in that release, "
            "⚑ with every optional path of the SDK turned on."
        )
        return "\n".join([f"{self.summary()}.", "", *rows, "", legend, *folded])

    def _share(self, run: ReleaseRun, steps: list[str]) -> str:
        results = [self.result(run, step) for step in steps]
        possible = [result for result in results if result.status != ABSENT]
        passed = sum(1 for result in possible if result.status == PASS)
        return f"{passed}/{len(possible)}" if possible else SIGNS[ABSENT]

    def as_html(self) -> str:
        """One page; the reason of a cell is its tooltip."""
        heads = "".join(f"<th>{escape(c.name)}</th>" for c in self.runs)
        rows = []
        for step, text in self.texts.items():
            cells = []
            for run in self.runs:
                result = self.result(run, step)
                kind = {PASS: "p", FAIL: "f", ABSENT: "a"}[result.status]
                title = escape(result.reason or f"{result.seconds} s", quote=True)
                cells.append(f'<td class="{kind}" title="{title}">{SIGNS[result.status]}</td>')
            name = f'<th title="{escape(text, quote=True)}">{escape(step)}</th>'
            rows.append(f"<tr>{name}{''.join(cells)}</tr>")
        broken = "".join(f"<li>{escape(line)}</li>" for line in self.failures())
        return PAGE.format(
            summary=escape(self.summary()), heads=heads, rows="\n".join(rows), broken=broken
        )


def write_between_markers(path: Path, text: str) -> None:
    """Replace what stands between the matrix markers of a Markdown file.

    Raises ValueError if the file has no such markers, OSError if there is no such file.
    """
    before, after = around_markers(path)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def around_markers(path: Path) -> tuple[str, str]:
    """What stands before and after the matrix; raises as `write_between_markers` does."""
    content = path.read_text(encoding="utf-8")
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{path}: put {BEGIN} and {END} where the matrix belongs")
    return before, after


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
