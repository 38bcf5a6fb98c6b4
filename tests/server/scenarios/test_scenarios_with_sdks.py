"""Every named scenario with the newest SDK and an old one, judged from both sides.

The old and the newest release run side by side. What the SDK's user sees is compared with a
healthy run, value by value; what the service saw is read from the journal.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tinker_mock.contracts import load_contract
from tinker_mock.server.faults.rules import Subject
from tinker_mock.server.scenarios.scenario import load_scenario, scenario_names
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

SCRIPT = Path(__file__).with_name("sdk_client.py")
OLD, NEWEST = "0.16.1", newest()
ROUNDS, SAMPLES = 3, 3
SUBMITTING = ("asample", "forward_backward", "optim_step")


@dataclass
class Seen:
    """One run: the user's side (`training`, `samples`) and the service's (`journal`, `steps`)."""

    version: str
    training: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    journal: list[dict[str, Any]]
    steps: list[int]
    new: bool = field(init=False)

    def __post_init__(self) -> None:
        self.new = self.version == NEWEST

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        return self.training + self.samples

    def statuses(self, operation: str = "") -> list[int | None]:
        return [e["status"] for e in self.journal if operation in ("", e["operation"])]

    def accepted(self, operation: str) -> list[str]:
        """Distinct request ids handed out for an operation."""
        answers = [e["response_body"] for e in self.journal if e["operation"] == operation]
        return sorted({body["request_id"] for body in answers if body and "request_id" in body})

    def errors(self) -> list[tuple[str, str]]:
        return [(o["error"], o["message"]) for o in self.outcomes if "error" in o]


def playing(scenario: str) -> RunningServer:
    return RunningServer(Settings(port=0, clock="auto", scenario=scenario, seed=11))


class SdkUser:
    """The script in a process of one SDK release."""

    def __init__(self, version: str) -> None:
        python, environment = process(version, TINKER_TELEMETRY="0")
        self.version = version
        self._process = subprocess.Popen(
            [python, str(SCRIPT)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def train_on(self, url: str) -> dict[str, Any]:
        """Run the script against a server; its `value`, or `error` and `message`."""
        task = {"url": url, "key": "tml-user", "rounds": ROUNDS, "samples": SAMPLES}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(task) + "\n")
        stdin.flush()
        told = json.loads(stdout.readline())
        assert told["version"] == self.version
        return dict(told["seen"])

    def live(self, scenario: str) -> Seen:
        with playing(scenario) as server:
            seen = self.train_on(server.url)
            journal = httpx.get(f"{server.url}/_mock/journal", timeout=60).json()["entries"]
            models = httpx.get(f"{server.url}/_mock/models", timeout=60).json()["models"]
        steps = [model["steps"] for model in models]
        return Seen(self.version, **seen["value"], journal=journal, steps=steps)

    def leave(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def users() -> Iterator[list[SdkUser]]:
    try:
        both = [SdkUser(NEWEST), SdkUser(OLD)]
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    yield both
    for user in both:
        user.leave()


def together(users: list[SdkUser], scenario: str) -> list[Seen]:
    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(lambda user: user.live(scenario), users))


@pytest.fixture(scope="module")
def healthy(users: list[SdkUser]) -> dict[str, Seen]:
    return {seen.version: seen for seen in together(users, "healthy")}


# What each scenario promises, beside results equal to a healthy run (unless `differs` says so).


def healthy_run(seen: Seen) -> None:
    assert set(seen.statuses()) == {200}
    assert {entry["verdict"] for entry in seen.journal} == {"ok"}
    assert [entry["unknown_fields"] for entry in seen.journal if entry["unknown_fields"]] == []


def _queue_states(seen: Seen) -> set[tuple[str, str]]:
    told = [e["response_body"] for e in seen.journal if e["status"] == 408]
    return {(body["queue_state"], body.get("queue_state_reason", "")) for body in told}


def cold_start(seen: Seen) -> None:
    states = _queue_states(seen)
    assert {state for state, _ in states} == {"paused_capacity"}
    assert ("paused_capacity", "Qwen/Qwen3-8B is being loaded, ready in 45 s") in states
    assert [len(seen.accepted(op)) for op in SUBMITTING] == [3, 3, 3]


def capacity_crunch(seen: Seen) -> None:
    assert 408 in seen.statuses("retrieve_future")
    assert {state for state, _ in _queue_states(seen)} <= {"active", "paused_capacity"}
    submissions = [e for e in seen.journal if e["operation"] in SUBMITTING]
    assert len(submissions) == 9
    end = max(e["answered_at"] for e in seen.journal)
    assert end - seen.journal[0]["received_at"] >= 2 * ROUNDS * 40


def rate_limited(seen: Seen) -> None:
    refused = [e for e in seen.journal if e["status"] == 429]
    assert {e["operation"] for e in refused} == {"asample"}
    assert all(0 < int(e["response_headers"]["retry-after-ms"]) <= 2000 for e in refused)
    assert len(seen.accepted("asample")) == 3


def billing_pause(seen: Seen) -> None:
    refused = seen.statuses().count(402)
    assert refused >= 1
    if seen.new:
        assert seen.errors() == []
        return
    # What was accepted behind a refused operation fails too: its predecessor never comes.
    unpaid = [kind for kind, message in seen.errors() if "Error code: 402" in message]
    behind = [kind for kind, message in seen.errors() if "never arrived" in message]
    assert set(unpaid) == {"APIStatusError"}
    assert len(unpaid) == refused
    assert len(unpaid) + len(behind) == len(seen.errors())
    assert seen.steps == [sum(outcome == {"value": "updated"} for outcome in seen.training)]


def flaky_network(seen: Seen) -> None:
    hit = {e["effects"] for e in seen.journal if e["effects"]}
    assert hit
    assert hit <= {"drop", "reset", "return-502", "lose", "mask-504"}
    assert [len(seen.accepted(op)) for op in SUBMITTING] == [3, 3, 3]
    assert seen.steps == [ROUNDS]


def slow_stream(seen: Seen) -> None:
    polls = [e for e in seen.journal if e["operation"] == "retrieve_future"]
    assert {e["effects"] for e in polls} == {"slow-2k"}
    assert len(polls) == 10


def cut_stream(seen: Seen) -> None:
    polls = [e["effects"] for e in seen.journal if e["operation"] == "retrieve_future"]
    assert sorted(polls) == [""] * 10 + ["cut-after-8"] * 10


def promise_expiry(seen: Seen) -> None:
    assert seen.statuses().count(410) == 2
    assert len(seen.accepted("asample")) == 4
    assert len(seen.accepted("optim_step")) == 3
    assert seen.steps == [ROUNDS]
    ((kind, message),) = seen.errors()
    assert (kind, "expired" in message) == ("RetryableException", True)
    assert "error" in seen.training[3]


def lost_model(seen: Seen) -> None:
    assert seen.steps == [1]
    assert ["error" in one for one in seen.training] == [False] * 3 + [True] * 3
    for _, message in seen.errors():
        assert "were lost" in message


def rolling_restart(seen: Seen) -> None:
    effects = [e["effects"] for e in seen.journal if e["effects"]]
    assert {"lose-reset", "return-503"} == set(effects)
    assert seen.statuses("create_session") == [200]
    assert seen.statuses("create_model") == [200]
    assert seen.steps == [ROUNDS]


def proxy_noise(seen: Seen) -> None:
    noise = [e for e in seen.journal if e["status"] == 400]
    assert len(noise) == 10
    assert {e["response_size"] for e in noise} == {0}
    assert seen.statuses("retrieve_future").count(200) == 10


def duplicate_delivery(seen: Seen) -> None:
    assert sum(e["effects"] == "duplicate" for e in seen.journal) == 10
    assert seen.steps == [ROUNDS]
    assert [len(seen.accepted(op)) for op in SUBMITTING] == [3, 3, 3]


def corrupt_proto(seen: Seen) -> None:
    assert sum(e["effects"] == "corrupt" for e in seen.journal) == 1
    ((kind, message),) = seen.errors()
    if seen.new:
        assert (kind, "deserialization failed" in message) == ("ValueError", True)
    else:
        assert kind in ("UnicodeDecodeError", "JSONDecodeError", "ValueError")


def clock_cycles(seen: Seen) -> None:
    """Submitted ahead, each round has a cycle of its own; tests/sdk counts the cycles of loops."""
    assert seen.steps == [ROUNDS]
    assert [seen.statuses(operation).count(200) for operation in SUBMITTING] == [
        SAMPLES,
        ROUNDS,
        ROUNDS,
    ]


PROMISES: dict[str, Callable[[Seen], None]] = {
    "healthy": healthy_run,
    "cold-start": cold_start,
    "capacity-crunch": capacity_crunch,
    "clock-cycles": clock_cycles,
    "rate-limited": rate_limited,
    "billing-pause": billing_pause,
    "flaky-network": flaky_network,
    "slow-stream": slow_stream,
    "cut-stream": cut_stream,
    "lost-model": lost_model,
    "promise-expiry": promise_expiry,
    "rolling-restart": rolling_restart,
    "proxy-noise": proxy_noise,
    "duplicate-delivery": duplicate_delivery,
    "corrupt-proto": corrupt_proto,
}
FAILING = {("billing-pause", OLD), ("promise-expiry", OLD), ("promise-expiry", NEWEST)} | {
    ("lost-model", OLD),
    ("lost-model", NEWEST),
    ("corrupt-proto", OLD),
    ("corrupt-proto", NEWEST),
}
"""Scenario and release whose user sees failures, as the scenario's page says."""


def test_every_shipped_scenario_that_sdks_meet_is_lived_through() -> None:
    """The others are about text endpoints, which SDKs do not call (tests/server/text)."""
    training, text = (list(load_contract(name).operations) for name in ("tinker", "inference"))
    assert set(PROMISES) <= set(scenario_names())
    for name in set(scenario_names()) - set(PROMISES):
        scenario = load_scenario(name, [*training, *text])
        for rule in scenario.rules:
            assert rule.match.operations
            assert not [op for op in training if rule.match.concerns(Subject(op, ""))], name


@pytest.mark.parametrize("scenario", PROMISES)
def test_a_scenario_ends_as_its_page_says(
    scenario: str, users: list[SdkUser], healthy: dict[str, Seen]
) -> None:
    for seen in together(users, scenario):
        PROMISES[scenario](seen)
        assert [e for e in seen.journal if e["verdict"] in ("request", "response")] == []
        usual = healthy[seen.version]
        if (scenario, seen.version) not in FAILING:
            assert seen.errors() == []
        for outcome, expected in zip(seen.outcomes, usual.outcomes, strict=True):
            # What arrives is right: no scenario changes a number.
            assert "error" in outcome or outcome == expected


def test_the_proxy_is_transparent_and_finds_nothing(
    users: list[SdkUser], healthy: dict[str, Seen]
) -> None:
    with playing("healthy") as upstream:
        command = [sys.executable, "-m", "tinker_mock.cli", "proxy", "--port", "0"]
        command += ["--upstream", upstream.url, "--fail-on", "violation"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as proxy:
            assert proxy.stdout is not None
            url = proxy.stdout.readline().split()[-1]
            for user in users:
                seen = user.train_on(url)["value"]
                usual = healthy[user.version]
                assert [*seen["training"], *seen["samples"]] == usual.outcomes
            proxy.terminate()
            _, told = proxy.communicate(timeout=60)
    assert proxy.returncode == 0, told
    assert ", 0 violations" in told


def test_releases_before_0_15_take_proxy_noise_for_an_answer() -> None:
    try:
        user = SdkUser("0.14.0")
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    try:
        with playing("proxy-noise") as server:
            seen = user.train_on(server.url)
    finally:
        user.leave()
    assert (seen["error"], "status_code=400" in seen["message"]) == ("ValueError", True)
