"""A scenario: queue rules, fault rules and quirks under a name, loaded from YAML."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from tinker_mock.server.faults.rules import Rule, read_rule
from tinker_mock.server.queues.rules import QueueRules, read_queue
from tinker_mock.server.quirks import Quirk, UnknownQuirk, quirk_of
from tinker_mock.server.yaml_section import ScenarioError, Section, read_section

FOLDER = "tinker_mock.server.scenarios"


@dataclass
class Scenario:
    """What the server is asked to live through. `text` is the YAML it came from."""

    name: str
    summary: str = ""
    queue: QueueRules = field(default_factory=QueueRules)
    rules: list[Rule] = field(default_factory=list)
    quirks: frozenset[Quirk] = frozenset()
    text: str = ""


def healthy() -> Scenario:
    """The scenario of a server that was given none."""
    return Scenario("healthy", "Nothing goes wrong.")


def scenario_names() -> list[str]:
    """The scenarios that ship."""
    folder = resources.files(FOLDER)
    names = [item.name for item in folder.iterdir() if item.name.endswith(".yaml")]
    return sorted(name.removesuffix(".yaml") for name in names)


def read_scenario(text: str, source: str, operations: Iterable[str]) -> Scenario:
    """A scenario from YAML text; raises ScenarioError with line and reason."""
    known = list(operations)
    top = read_section(text, source)
    name = top.text("name") or Path(source).stem
    summary = top.text("summary", "") or ""
    queue = read_queue(top.section("queue"))
    rules = [read_rule(row, i, known) for i, row in enumerate(top.sections("rules"))]
    quirks = _quirks(top)
    top.finish()
    names = [rule.name for rule in rules]
    twice = {rule for rule in names if names.count(rule) > 1}
    if twice:
        raise top.fail("rules", f"two rules are named {sorted(twice)[0]!r}; names are unique")
    return Scenario(name, summary, queue, rules, quirks, text)


def _quirks(top: Section) -> frozenset[Quirk]:
    try:
        return frozenset(map(quirk_of, top.names("quirks")))
    except UnknownQuirk as error:
        raise top.fail("quirks", str(error)) from None


def load_scenario(name_or_file: str, operations: Iterable[str]) -> Scenario:
    """A shipped scenario by name, or a YAML file by path."""
    if name_or_file in scenario_names():
        text = (resources.files(FOLDER) / f"{name_or_file}.yaml").read_text("utf-8")
        return read_scenario(text, f"{name_or_file}.yaml", operations)
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        close = get_close_matches(name_or_file, scenario_names(), n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        names = ", ".join(scenario_names())
        reason = f"no scenario {name_or_file!r}{hint}: neither a YAML file nor one of {names}"
        raise ScenarioError(name_or_file, 1, "", reason)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(path.name, 1, "", f"cannot be read: {error}") from error
    return read_scenario(text, path.name, operations)
