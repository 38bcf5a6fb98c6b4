"""Under every scenario of the mock the client does what the scenario's page says.

Server and client run on clocks of the same, high speed, so waits are real but short. A second
that a busy machine holds them up is minutes to them: their patience has no end.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.client.conftest import config
from tinker_mock.client import (
    AdamParams,
    AsyncServiceClient,
    Datum,
    ModelInput,
    PromiseGoneError,
    RequestFailedError,
    SamplingParams,
)
from tinker_mock.client.clock import ScaledClock
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

pytestmark = pytest.mark.anyio
RATE = 200.0
ENDLESS = 1e9
BASE = "Qwen/Qwen3-8B"
TOKENS = list(range(100, 110))
LIBRARY = Path(__file__).parents[2] / "mockserver" / "tinker_mock" / "server" / "scenarios"
ALL = {page.stem for page in LIBRARY.glob("*.md") if page.stem != "README"}
OF_TEXT = {name for name in ALL if name.startswith("kimi-")} | {"broken-text"}
UNHARMED = {
    "billing-pause",
    "capacity-crunch",
    "clock-cycles",
    "cold-start",
    "cut-stream",
    "duplicate-delivery",
    "flaky-network",
    "healthy",
    "proxy-noise",
    "rate-limited",
    "rolling-restart",
    "slow-stream",
}
HARMED = {"corrupt-proto", "lost-model", "promise-expiry"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    limits = dict.fromkeys(("session_timeout", "gap_timeout", "result_retention"), ENDLESS)
    with RunningServer(Settings(port=0, seed=3, clock=f"x{RATE:g}", **limits)) as running:
        yield running.url


def begin(url: str, scenario: str) -> None:
    httpx.post(f"{url}/_mock/reset", timeout=60).raise_for_status()
    told = {"name": scenario}
    httpx.put(f"{url}/_mock/scenario", json=told, timeout=60).raise_for_status()


def a_client(url: str) -> AsyncServiceClient:
    options: dict[str, Any] = {"telemetry_enabled": False, "submission_window": ENDLESS}
    settings = config("python-latest", base_url=url, **options)
    return AsyncServiceClient(settings, clock=ScaledClock(RATE), random=Random(5))


def a_datum() -> Datum:
    weights = [1.0] * (len(TOKENS) - 1)
    return Datum.of(ModelInput.from_ints(TOKENS[:-1]), target_tokens=TOKENS[1:], weights=weights)


async def train_and_sample(url: str) -> dict[str, Any]:
    """Two steps, a save, four samples at once."""
    async with a_client(url) as service:
        training = await service.create_lora_training_client(BASE, 8, seed=1)
        steps = []
        for _ in range(2):
            steps.append(training.forward_backward([a_datum()], "cross_entropy"))
            steps.append(training.optim_step(AdamParams(learning_rate=1e-2)))
        metrics = [dict((await step).metrics or {}) for step in steps]
        for told in metrics:
            told.pop("clock_cycle:unique", None)  # it says when, not what
        sampling = await training.save_weights_and_get_sampling_client("s")
        prompt = ModelInput.from_ints(TOKENS[:4])
        params = [SamplingParams(max_tokens=4, seed=seed) for seed in range(4)]
        samples = [sampling.sample(prompt, 1, one) for one in params]
        tokens = [list((await one).sequences[0].tokens) for one in samples]
    return {"metrics": metrics, "tokens": tokens}


_HEALTHY: dict[str, Any] = {}


async def healthy(url: str) -> dict[str, Any]:
    """What comes out when nothing goes wrong."""
    if url not in _HEALTHY:
        begin(url, "healthy")
        _HEALTHY[url] = await train_and_sample(url)
    return dict(_HEALTHY[url])


def accepted(url: str, operation: str) -> list[Any]:
    """The answers the service itself gave to an operation."""
    query = {"operation": operation}
    entries = httpx.get(f"{url}/_mock/journal", params=query, timeout=60).json()["entries"]
    return [entry for entry in entries if entry["status"] == 200]


def test_every_scenario_is_accounted_for() -> None:
    assert ALL == UNHARMED | HARMED | OF_TEXT


@pytest.mark.parametrize("scenario", sorted(UNHARMED))
async def test_the_caller_notices_nothing(server: str, scenario: str) -> None:
    expected = await healthy(server)
    begin(server, scenario)
    assert await train_and_sample(server) == expected
    made = Counter(str(entry["response_body"]) for entry in accepted(server, "optim_step"))
    assert len(made) == 2, "one promise per step, however often it was submitted"


async def test_a_model_that_was_lost_goes_on_from_its_checkpoint(server: str) -> None:
    begin(server, "lost-model")
    async with a_client(server) as service:
        training = await service.create_lora_training_client(BASE, 8, seed=1)
        await training.forward_backward([a_datum()], "cross_entropy")
        await training.optim_step(AdamParams(learning_rate=1e-2))
        saved = await training.save_state("s")
        expected = await training.forward([a_datum()], "cross_entropy")
        with pytest.raises(RequestFailedError, match="were lost"):
            await training.optim_step(AdamParams(learning_rate=1e-2))
        rest = service.create_rest_client()
        assert (await rest.get_training_run(training.model_id)).corrupted
        restored = await service.create_training_client_from_state_with_optimizer(saved.path)
        again = await restored.forward([a_datum()], "cross_entropy")
        assert again.metrics["loss:sum"] == expected.metrics["loss:sum"]


async def test_a_sample_whose_promise_expired_is_drawn_again_a_step_is_not_repeated(
    server: str,
) -> None:
    begin(server, "promise-expiry")
    async with a_client(server) as service:
        training = await service.create_lora_training_client(BASE, 8, seed=1)
        for number in range(2):
            await training.forward_backward([a_datum()], "cross_entropy")
            step = training.optim_step()
            if number == 1:
                with pytest.raises(PromiseGoneError, match="submit a new request"):
                    await step
            else:
                await step
        sampling = await service.create_sampling_client(BASE)
        sample = await sampling.sample(
            ModelInput.from_ints(TOKENS), 1, SamplingParams(max_tokens=2)
        )
        assert len(sample.sequences) == 1
    assert len(accepted(server, "optim_step")) == 2
    assert len(accepted(server, "asample")) == 2


async def test_damaged_results_never_reach_the_caller(server: str) -> None:
    expected = await healthy(server)
    begin(server, "corrupt-proto")
    async with a_client(server) as service:
        training = await service.create_lora_training_client(BASE, 8, seed=1)
        results: list[Any] = []
        for _ in range(2):
            one = training.forward_backward([a_datum()], "cross_entropy")
            step = training.optim_step(AdamParams(learning_rate=1e-2))
            metrics = dict((await one).metrics)
            metrics.pop("clock_cycle:unique", None)
            results.append(metrics)
            await step
    assert results == [expected["metrics"][0], expected["metrics"][2]]
    assert len(accepted(server, "forward_backward")) == 2
    polls = accepted(server, "retrieve_future")
    assert len({str(poll["request_body"]) for poll in polls}) < len(polls), "one was asked again"
