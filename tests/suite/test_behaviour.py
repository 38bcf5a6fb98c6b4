"""Behaviour stories hold for the mock, and fail where nothing is learnt or numbers disagree."""

from collections.abc import Iterator

import pytest

from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.server.behaviour import (
    STORIES,
    divergence,
    learner,
    preference,
    reinforcement,
)
from tinker_mock.suite.server.behaviour import supervised as supervised_story


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with mock_server() as url:
        yield url


@pytest.fixture
def stage(address: str) -> Iterator[Stage]:
    made = Stage(Target(address, timeout=60.0), Routes("tinker"), {}, "behaviour")
    yield made
    made.finish()


@pytest.mark.parametrize("name", sorted(STORIES))
def test_the_mock_behaves(stage: Stage, name: str) -> None:
    story = STORIES[name](stage)
    assert story.kept, story
    lengths = {len(curve) for curve in story.curves.values()}
    assert len(lengths) == 1
    assert lengths.pop() > 5


@pytest.mark.parametrize(
    ("name", "module", "steps"),
    [
        ("behaviour/supervised", supervised_story, 4),
        ("behaviour/reinforcement", reinforcement, 6),
        ("behaviour/preference", preference, 4),
    ],
)
def test_a_model_that_does_not_learn_is_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str, module: object, steps: int
) -> None:
    monkeypatch.setattr(module, "RATE", 0.0)
    monkeypatch.setattr(module, "STEPS", steps)
    assert not STORIES[name](stage).kept


def test_a_trainer_that_disagrees_is_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = learner.Learner.logprobs

    def off(self: learner.Learner, data: list[dict[str, object]]) -> list[list[float]]:
        return [[value + 1e-4 for value in row] for row in honest(self, data)]

    monkeypatch.setattr(learner.Learner, "logprobs", off)
    monkeypatch.setattr(divergence, "STEPS", 2)
    assert not STORIES["behaviour/divergence"](stage).kept
