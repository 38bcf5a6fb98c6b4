"""The pages people read first: short, in step with what was measured, and without dead links."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def anchors(page: Path) -> set[str]:
    """What `#…` may name in a page, as the public hosts make it from headings."""
    headings = HEADING.findall(page.read_text("utf-8"))
    bare = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in bare}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    dead = []
    for link in LINK.findall(prose):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target) if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(link)
    assert not dead


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 12_000


def test_the_readme_says_what_the_matrix_says() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    matrix = (ROOT / "docs" / "sdk-matrix.md").read_text("utf-8")
    (summary,) = re.findall(
        r"^\d+ releases and the reference client, .* broken\.$", matrix, re.MULTILINE
    )
    assert summary in readme
    releases = re.findall(r"^\| (\d+\.\d+\.\d+) \|", matrix, re.MULTILINE)
    count = len(releases)
    assert f"[![SDK releases {releases[0]}–{releases[-1]}: {count} of {count}]" in readme
