"""Which scenario is on."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.scenarios.scenario import Scenario, load_scenario, scenario_names
from tinker_mock.server.wire.exchange import Answer
from tinker_mock.server.yaml_section import ScenarioError


def _told(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "summary": scenario.summary,
        "text": scenario.text,
        "rules": [{"name": rule.name, "applied": rule.applied} for rule in scenario.rules],
    }


async def get_scenario(call: Call) -> Answer:
    return done(_told(call.director.scenario))


async def put_scenario(call: Call) -> Answer:
    try:
        if "name" in call.body:
            # Only shipped ones by name: the API must not open files of the server's machine.
            if call.body["name"] not in scenario_names():
                reason = f"no such scenario; there are {', '.join(scenario_names())}"
                raise ScenarioError(call.body["name"], 1, "name", reason)
            scenario = call.director.play_name(call.body["name"])
        else:
            scenario = call.director.play_text(call.body["yaml"])
    except ScenarioError as error:
        raise Unprocessable(
            str(error),
            pointer="/name" if "name" in call.body else "/yaml",
            rule="a scenario follows mockserver/tinker_mock/server/scenarios/README.md",
            fix=error.reason,
            details={"line": error.line},
        ) from None
    return done(_told(scenario))


async def list_scenarios(call: Call) -> Answer:
    known = call.director.operations
    return done({"scenarios": {n: load_scenario(n, known).summary for n in scenario_names()}})


HANDLERS: dict[str, Handler] = {
    "get_scenario": get_scenario,
    "put_scenario": put_scenario,
    "list_scenarios": list_scenarios,
}
