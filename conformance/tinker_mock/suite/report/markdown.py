"""A Markdown summary, for pull requests and job summaries."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tinker_mock.suite.core.results import verdict_word

ORDER = ("error", "fail", "not-testable", "warn", "not-judged")


def markdown(results: Mapping[str, Any]) -> str:
    """The results as Markdown: counts by chapter, then the findings."""
    target = results["target"]
    word = verdict_word(results)
    word = word if results["conformant"] else f"**{word}**"
    lines = [f"# {target['name']}: {word}", ""]
    lines += [f"SDK {target.get('sdk', 'all')}, seed {results['seed']}.", ""]
    lines += ["| chapter | pass | fail | warn | n/a | not judged |", "|---|---|---|---|---|---|"]
    chapters: dict[str, Counter[str]] = {}
    for row in results["verdicts"]:
        chapters.setdefault(row["chapter"], Counter())[row["status"]] += 1
    for chapter, counted in chapters.items():
        bad = counted["fail"] + counted["not-testable"] + counted["error"]
        lines.append(
            f"| {chapter} | {counted['pass']} | {bad} | {counted['warn']} | {counted['n/a']} "
            f"| {counted['not-judged']} |"
        )
    rows = [row for row in results["verdicts"] if row["status"] in ORDER]
    rows.sort(key=lambda row: ORDER.index(row["status"]))
    if rows:
        lines += ["", "## Findings", ""]
    for row in rows:
        lines.append(f"- `{row['check']}` ({row['level']}, {row['status']}): {row['text']}")
        lines.append(f"  found: {one_line(row['message'])}; {one_line(row.get('actual', ''))}")
    return "\n".join(lines) + "\n"


def one_line(text: str, limit: int = 200) -> str:
    """Text on one line, cut to a limit, with nothing that Markdown would read."""
    flat = " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
    return flat if len(flat) <= limit else f"{flat[:limit]}…"
