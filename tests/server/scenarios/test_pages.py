"""The documentation of scenarios, effects and control calls is complete and current."""

import re
from importlib import resources

import pytest

from tinker_mock.contracts import load_contract
from tinker_mock.server.effects import GRAMMAR
from tinker_mock.server.scenarios.scenario import load_scenario, read_scenario, scenario_names

OPERATIONS = [op for name in ("tinker", "inference") for op in load_contract(name).operations]
FOLDER = resources.files("tinker_mock.server.scenarios")
README = (FOLDER / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", scenario_names())
def test_a_scenario_has_a_page_and_a_row(name: str) -> None:
    page = (FOLDER / f"{name}.md").read_text("utf-8")
    assert page.startswith(f"# {name}\n")
    assert "What happens" in page
    assert "good client does" in page
    assert f"| [{name}]({name}.md) | {load_scenario(name, OPERATIONS).summary} |" in README


def test_the_readme_lists_every_effect() -> None:
    for form in GRAMMAR:
        syntax = form.syntax.replace("|", "\\|")
        assert f"| `{syntax}` | {form.acts} | {form.meaning} |" in README


def test_the_readmes_example_loads() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    scenario = read_scenario(example, "README.md", OPERATIONS)
    assert [rule.name for rule in scenario.rules] == ["lost-poll", "slow-evening"]
    assert len(scenario.queue.completion) == 4


def test_the_control_readme_lists_every_call() -> None:
    text = (resources.files("tinker_mock.server.control") / "README.md").read_text("utf-8")
    for operation in load_contract("control").operations.values():
        assert f"| `{operation.method} {operation.path}` | {operation.summary} |" in text
