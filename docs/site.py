"""What the documentation site is made of (a hook of MkDocs).

Pages stay where they are read in the repository, under the same relative links; files that they
link to come along. The reference pages are made here: the command line from its parsers, the
APIs from the contracts. Diagrams are drawn here too, since the theme would fetch their script from
another host.
"""

import re
import subprocess
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import mermaidx
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from tinker_mock.cli import spelt
from tinker_mock.cli.commands import COMMANDS, GROUPS
from tinker_mock.cli.parser import Parser
from tinker_mock.contracts import load_contract
from tinker_mock.contracts.reference import reference

ROOT = Path(__file__).parents[1]
NOT_PAGES = (".github/",)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s#]+)")
BADGE = re.compile(r"^\[!\[[^\]]*\]\(https?:[^)]*\)\]\([^)]*\)\n", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
TITLES = {"tinker": "Tinker API", "inference": "Text endpoints", "control": "Control API"}
PATTERN = "*"
DRAWN_AS = "my-svg"
"""The id that every drawing of mermaidx has, in its style sheet as well."""
PAPER = "background: #fff; border-radius: 6px; padding: 0.6rem; text-align: center"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Spell out the folders that the navigation names with a pattern; draw diagrams."""
    config.nav = _spelt_out(config.nav)
    fence = {"name": "mermaid", "class": "diagram", "format": _drawing}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Without badges, which other hosts draw: the site needs no network."""
    return BADGE.sub("", markdown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The repository's pages and what they link to, instead of the folder `docs`."""
    kept = Files([file for file in files if file.src_dir != config.docs_dir])
    pages = [name for name in tracked("*.md") if not name.startswith(NOT_PAGES)]
    for name in sorted({*pages, *_linked(pages)}):
        kept.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for name, text in reference_pages().items():
        kept.append(File.generated(config, name, content=text))
    return kept


def tracked(pattern: str) -> list[str]:
    """Files of the repository, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def reference_pages() -> dict[str, str]:
    """Page → Markdown."""
    pages = {"reference/command-line.md": _command_line()}
    for name, title in TITLES.items():
        contract = load_contract(name)
        document = (
            f"The contract `contracts/{name}/openapi.yaml`, which a running mock serves as "
            f"`/openapi.json?contract={name}`. `*` marks what is required."
        )
        pages[f"reference/{name}.md"] = f"# {title}\n\n{document}\n\n{reference(contract)}\n"
    return pages


def _command_line() -> str:
    parts = ["# Command line", "Made from the commands' own parsers (`tinker-mock help COMMAND`)."]
    for group in GROUPS:
        for command, (path, summary) in COMMANDS.items():
            if command.rpartition(" ")[0] == group:
                parts += [
                    f"## tinker-mock {command}",
                    f"```text\n{_help(command, path, summary)}```",
                ]
    return "\n\n".join(parts)


def _help(command: str, path: str, summary: str) -> str:
    module = import_module(f"tinker_mock.{path}")
    about, _, examples = (module.__doc__ or summary).partition("\n\nexamples:\n")
    epilog = f"examples:\n{examples}" if examples else None
    parser = Parser(prog=spelt(command), description=about, epilog=epilog)
    module.add_arguments(parser)
    return parser.format_help()


def _drawing(source: str, *_: Any, **__: Any) -> str:
    """A diagram as SVG, on white in both schemes, with ids of its own."""
    name = f"diagram-{sha256(source.encode()).hexdigest()[:8]}"
    drawn = mermaidx.render(source).svg().replace(DRAWN_AS, name)
    return f'<div class="diagram" style="{PAPER}">{drawn}</div>'


def _linked(pages: list[str]) -> set[str]:
    """Files beside the pages that these link to."""
    found = set()
    for name in pages:
        prose = FENCE.sub("", (ROOT / name).read_text("utf-8"))
        for target in LINK.findall(prose):
            path = ((ROOT / name).parent / target).resolve()
            if path.is_file() and path.is_relative_to(ROOT) and path.suffix != ".md":
                found.add(str(path.relative_to(ROOT)))
    return found


def _spelt_out(nav: Any) -> Any:
    if isinstance(nav, dict):
        return {title: _spelt_out(below) for title, below in nav.items()}
    if isinstance(nav, list):
        return [item for entry in nav for item in _entries(entry)]
    return nav


def _entries(entry: Any) -> list[Any]:
    if not isinstance(entry, str) or not entry.startswith(PATTERN):
        return [_spelt_out(entry)]
    folder = entry.strip(f"{PATTERN}").rstrip("/")
    names = [n for n in tracked(f"{folder}/*.md") if Path(n).parent == Path(folder)]
    return [name for name in sorted(names) if not name.endswith("README.md")]
