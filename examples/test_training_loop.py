"""A training loop under pytest: a fresh mock for each test, and questions to its journal.

pytest examples/test_training_loop.py
"""

import httpx
import pytest

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient


def train(url: str, steps: int) -> list[float]:
    """The loop under test."""
    tokens = [1, 2, 3, 4]
    data = [Datum.of(ModelInput.from_ints(tokens), target_tokens=[2, 3, 4, 5], weights=[1.0] * 4)]
    losses = []
    with ServiceClient(base_url=url, api_key="tml-test") as service:
        trainer = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
        for _ in range(steps):
            loss = trainer.forward_backward(data, "cross_entropy")
            trainer.optim_step(AdamParams(learning_rate=1e-3)).result()
            losses.append(loss.result().metrics["loss:sum"])
    return losses


def test_it_learns(tinker_mock):
    losses = train(tinker_mock.url, steps=20)
    assert losses[-1] < losses[0] / 4
    count = {"operation": "optim_step", "verdict": "ok"}
    answer = httpx.get(f"{tinker_mock.url}/_mock/journal/count", params=count)
    assert answer.json()["count"] == 20


@pytest.mark.tinker_mock(scenario="flaky-network", clock="auto", seed=3)
def test_it_survives_a_flaky_network(tinker_mock):
    assert len(train(tinker_mock.url, steps=5)) == 5
