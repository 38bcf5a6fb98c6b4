"""Proof that checks can fail: each is run against a server that breaks exactly its rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from tinker_mock.contracts.ledger import Requirement, requirement_of
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.server.runner import load_scenarios, play_scenario
from tinker_mock.suite.server.scenario import Scenario
from tinker_mock.suite.server.wire_checks import judge_wire

NOT_OK = (Status.FAIL, Status.WARN, Status.NOT_TESTABLE, Status.ERROR)


@dataclass
class Kill:
    """What happened to one mutant."""

    check: str
    level: str
    killed: bool
    others: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: bool = False


Progress = Callable[[Kill], None]


def scenarios_for(check: str, scenarios: Mapping[str, Scenario]) -> list[Scenario]:
    """The scenarios to play for a check: its own, or a chapter's for a wire check."""
    if "/wire/" not in check:
        return [one for one in scenarios.values() if check in one.checks]
    operation = check.rpartition("/")[2]
    return [one for one in scenarios.values() if one.id in WIRE_SCENARIOS.get(operation, ())]


WIRE_SCENARIOS: dict[str, tuple[str, ...]] = {
    "healthz": ("service/health-and-models",),
    "get_server_capabilities": ("service/health-and-models",),
    "get_client_config": ("service/configuration",),
    "get_dynamic_config": ("service/configuration",),
    "create_auth_token": ("auth/token-exchange",),
    "get_my_api_key": ("auth/token-exchange",),
    "create_session": ("sessions/life",),
    "session_heartbeat": ("sessions/life",),
    "list_sessions": ("sessions/life",),
    "get_session": ("sessions/contents",),
    "set_session_project": ("sessions/contents",),
    "export_session_trace": ("sessions/contents",),
    "finish_session": ("sessions/end",),
    "search_sessions": ("sessions/search",),
    "create_model": ("models/creation",),
    "get_info": ("models/creation",),
    "unload_model": ("models/unloading",),
    "get_weights_info": ("weights/describing",),
    "copy_weights": ("weights/describing",),
    "save_weights_external": ("weights/describing",),
    "get_external_weights_urls": ("weights/describing",),
    "forward": ("training/forward",),
    "forward_backward": ("training/one-step",),
    "optim_step": ("training/one-step",),
    "save_weights": ("weights/saving",),
    "save_weights_for_sampler": ("weights/saving",),
    "load_weights": ("weights/loading",),
    "list_run_checkpoints": ("checkpoints/listing",),
    "list_user_checkpoints": ("checkpoints/listing",),
    "publish_checkpoint": ("checkpoints/publishing",),
    "unpublish_checkpoint": ("checkpoints/publishing",),
    "delete_checkpoint": ("checkpoints/lifetime",),
    "set_checkpoint_ttl": ("checkpoints/lifetime",),
    "get_checkpoint_archive": ("checkpoints/archive",),
    "list_training_runs": ("runs/reading",),
    "get_training_run": ("runs/reading",),
    "create_sampling_session": ("sampling/session",),
    "join_sampling_session": ("sampling/session",),
    "get_sampler": ("sampling/session",),
    "asample": ("sampling/results",),
    "send_telemetry": ("telemetry/batches",),
    "get_audit_log": ("billing/reports",),
    "get_billing_usage": ("billing/reports",),
    "get_checkpoint_storage_usage": ("billing/reports",),
    "retrieve_future": ("futures/waiting",),
    "retrieve_futures": ("futures/many-at-once",),
    "cancel_future": ("futures/many-at-once",),
}


class MutantSwitch:
    """Switches mutants on a running mock through its control API."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10.0, trust_env=False)

    def set(self, check: str | None) -> bool:
        """Break a check, or none; False if there is no such mutant."""
        return self._client.put("/_mock/mutant", json={"check": check}).status_code == 200

    def known(self) -> tuple[list[str], list[tuple[str, str, str]]]:
        """The checks that answers can break, and the faults: (name, rule, what is wrong)."""
        told = self._client.get("/_mock/mutant").raise_for_status().json()
        faults = [(one["name"], one["rule"], one["says"]) for one in told["faults"]]
        return list(told["checks"]), faults

    def close(self) -> None:
        """Heal and disconnect."""
        self.set(None)
        self._client.close()


def kill_matrix(
    target: Target, checks: Mapping[str, Requirement], progress: Progress | None = None
) -> list[Kill]:
    """Run each check's scenario against its mutant; the server must be a mock with /_mock."""
    routes = Routes("tinker", "inference")
    rules = requirement_of()
    scenarios = load_scenarios()
    switch = MutantSwitch(target.url)
    kills = []
    try:
        for check, rule in checks.items():
            kill = Kill(check, rule.level, killed=False)
            if switch.set(check):
                verdicts = judge(scenarios_for(check, scenarios), target, routes, rules)
                sort_verdicts(kill, verdicts)
            else:
                kill.missing = True
            kills.append(kill)
            if progress:
                progress(kill)
    finally:
        switch.close()
    return kills


def judge(
    scenarios: list[Scenario], target: Target, routes: Routes, rules: Mapping[str, Requirement]
) -> list[Verdict]:
    """The verdicts of these scenarios and of the wire in them."""
    verdicts: list[Verdict] = []
    exchanges: list[Exchange] = []
    for scenario in scenarios:
        found, seen = play_scenario(scenario, target, routes, rules)
        verdicts += found
        exchanges += seen
    wire = judge_wire(exchanges, routes, rules, target)
    return verdicts + [one for one in wire if one.status is Status.FAIL]


def sort_verdicts(kill: Kill, verdicts: list[Verdict]) -> None:
    """Note whether the check failed, and which others did."""
    for verdict in verdicts:
        if verdict.status is Status.ERROR:
            kill.errors.append(f"{verdict.check}: {verdict.message}")
        if verdict.status in NOT_OK:
            if verdict.check == kill.check:
                kill.killed = verdict.status is not Status.ERROR
            else:
                kill.others.append(verdict.check)
