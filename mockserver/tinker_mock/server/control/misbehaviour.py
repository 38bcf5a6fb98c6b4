"""How the mock misbehaves: scenario, quirks, plans for single clients, a rule broken on purpose."""

from typing import Any

from tinker_mock.contracts.fidelity import load_quirks
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.mutants import MutantError, load_faults, load_mutants
from tinker_mock.server.quirks import Quirk, UnknownQuirk, quirk_of
from tinker_mock.server.scenarios.scenario import Scenario, load_scenario, scenario_names
from tinker_mock.server.wire.exchange import Answer, Exchange
from tinker_mock.server.yaml_section import ScenarioError


def _described(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "summary": scenario.summary,
        "text": scenario.text,
        "rules": [{"name": rule.name, "applied": rule.applied} for rule in scenario.rules],
    }


async def get_scenario(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return _described(control.scenario)


async def put_scenario(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    try:
        if "name" in exchange.body:
            # Only shipped ones by name: the API must not open files of the server's machine.
            if exchange.body["name"] not in scenario_names():
                reason = f"no such scenario; there are {', '.join(scenario_names())}"
                raise ScenarioError(exchange.body["name"], 1, "name", reason)
            scenario = control.use_name(exchange.body["name"])
        else:
            scenario = control.use_text(exchange.body["yaml"])
    except ScenarioError as error:
        raise Unprocessable(
            str(error),
            pointer="/name" if "name" in exchange.body else "/yaml",
            rule="a scenario follows mockserver/tinker_mock/server/scenarios/README.md",
            fix=error.reason,
            details={"line": error.line},
        ) from None
    return _described(scenario)


async def list_scenarios(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    known = control.plans.operations
    return {"scenarios": {n: load_scenario(n, known).summary for n in scenario_names()}}


async def list_plans(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"plans": [plan.account() for plan in control.plans.plans.values()]}


async def create_plan(control: MockControl, exchange: Exchange) -> Answer:
    return Answer(201, control.plans.create(exchange.body["effects"]).account())


async def get_plan(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return control.plans.get(exchange.path_params["plan_id"]).account()


async def delete_plan(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return control.plans.delete(exchange.path_params["plan_id"]).account()


async def list_quirks(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    quirks, rows = control.backend.quirks, load_quirks()
    return {
        "quirks": {
            quirk: {"on": quirk in quirks, "sentence": rows[quirk].sentence} for quirk in Quirk
        }
    }


async def put_quirks(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    try:
        control.backend.quirks.own = frozenset(map(quirk_of, exchange.body["quirks"]))
    except UnknownQuirk as error:
        raise Unprocessable(
            str(error), pointer="/quirks", rule="a quirk is one of GET /_mock/quirks"
        ) from None
    return await list_quirks(control, exchange)


async def list_mutants(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    faults = load_faults().values()
    return {
        "check": control.mutants.name,
        "checks": list(load_mutants()),
        "faults": [{"name": one.name, "rule": one.rule, "says": one.says} for one in faults],
    }


async def put_mutant(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    mutants = control.mutants
    planted = mutants.planted
    try:
        mutants.break_check(exchange.body["check"])
    except MutantError as error:
        raise Unprocessable(
            str(error), pointer="/check", rule="a check to break, or a planted fault's name"
        ) from None
    if planted or mutants.planted:
        control.backend.bases.clear()  # what was computed by other code must not stay
    return {"check": exchange.body["check"]}
