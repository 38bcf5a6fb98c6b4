"""The mock keeps what learning runs promise; they fail where nothing is learnt."""

from collections.abc import Iterator

import pytest

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.server.behaviour import (
    LEARNING_RUNS,
    divergence,
    learner,
    preference,
    reinforcement,
    supervised,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with mock_server() as url:
        yield url


@pytest.fixture
def context(address: str) -> Iterator[ScenarioContext]:
    made = ScenarioContext(Target(address, timeout=60.0), Routes("tinker"), {}, "behaviour")
    yield made
    made.finish()


@pytest.mark.parametrize("name", sorted(LEARNING_RUNS))
def test_the_mock_behaves(context: ScenarioContext, name: str) -> None:
    run = LEARNING_RUNS[name](context)
    assert run.kept, run
    lengths = {len(curve) for curve in run.curves.values()}
    assert len(lengths) == 1
    assert lengths.pop() > 5


@pytest.mark.parametrize(
    ("name", "module", "steps"),
    [
        ("behaviour/supervised", supervised, 4),
        ("behaviour/reinforcement", reinforcement, 6),
        ("behaviour/preference", preference, 4),
    ],
)
def test_a_model_that_does_not_learn_is_found_out(
    context: ScenarioContext, monkeypatch: pytest.MonkeyPatch, name: str, module: object, steps: int
) -> None:
    monkeypatch.setattr(module, "RATE", 0.0)
    monkeypatch.setattr(module, "STEPS", steps)
    assert not LEARNING_RUNS[name](context).kept


def test_a_trainer_that_disagrees_is_found_out(
    context: ScenarioContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = learner.Learner.logprobs

    def off(self: learner.Learner, data: list[dict[str, object]]) -> list[list[float]]:
        return [[value + 1e-4 for value in row] for row in honest(self, data)]

    monkeypatch.setattr(learner.Learner, "logprobs", off)
    monkeypatch.setattr(divergence, "STEPS", 2)
    assert not LEARNING_RUNS["behaviour/divergence"](context).kept
