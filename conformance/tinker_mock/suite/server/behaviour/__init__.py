"""Does training behave? Small training loops against a target, seen as curves.

Each takes a `ScenarioContext` and returns a `LearningRun`: its curves (lists of numbers, one per
step), what it promises, and whether it kept that. The suite judges them and draws the curves.
"""

from tinker_mock.suite.server.behaviour.divergence import sampler_and_trainer_agree
from tinker_mock.suite.server.behaviour.learner import LearningRun
from tinker_mock.suite.server.behaviour.preference import preference_margin_grows
from tinker_mock.suite.server.behaviour.reinforcement import reward_is_found
from tinker_mock.suite.server.behaviour.supervised import texts_are_learnt

LEARNING_RUNS = {
    "behaviour/supervised": texts_are_learnt,
    "behaviour/reinforcement": reward_is_found,
    "behaviour/divergence": sampler_and_trainer_agree,
    "behaviour/preference": preference_margin_grows,
}

__all__ = ["LEARNING_RUNS", "LearningRun"]
