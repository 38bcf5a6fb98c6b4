"""`tinker-mock scenarios`: list what ships, show a page, check files of your own."""

import argparse
import sys
from importlib import resources

from tinker_mock.contracts import load_contract
from tinker_mock.server.scenarios.scenario import FOLDER, load_scenario, scenario_names
from tinker_mock.server.yaml_section import ScenarioError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `scenarios`."""
    parser.add_argument(
        "scenarios", nargs="*", metavar="NAME|FILE", help="show its page, or check a YAML file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 2 for a scenario that cannot be loaded (with line and reason)."""
    operations = [
        operation
        for name in ("tinker", "inference")
        for operation in load_contract(name).operations
    ]
    if not arguments.scenarios:
        for known in scenario_names():
            print(f"{known:<24} {load_scenario(known, operations).summary}")
    return max((_show(name, operations) for name in arguments.scenarios), default=0)


def _show(name: str, operations: list[str]) -> int:
    if name in scenario_names():
        print((resources.files(FOLDER) / f"{name}.md").read_text("utf-8"), end="")
        return 0
    try:
        scenario = load_scenario(name, operations)
    except ScenarioError as error:
        print(f"tinker-mock scenarios: {error}", file=sys.stderr)
        return 2
    print(f"{scenario.name}: {len(scenario.rules)} rules, sound")
    return 0
