"""Does training behave? Small training loops against a target, told as curves.

Each run takes a `Stage` and returns a `Story`: its curves (lists of numbers, one per step), what
it promises, and whether it kept that. `STORIES` lists them all; the suite judges them and draws
the curves.
"""

from tinker_mock.suite.server.behaviour.divergence import sampler_and_trainer_agree
from tinker_mock.suite.server.behaviour.learning_run import Story
from tinker_mock.suite.server.behaviour.preference import preference_margin_grows
from tinker_mock.suite.server.behaviour.reinforcement import reward_is_found
from tinker_mock.suite.server.behaviour.supervised import texts_are_learnt

STORIES = {
    "behaviour/supervised": texts_are_learnt,
    "behaviour/reinforcement": reward_is_found,
    "behaviour/divergence": sampler_and_trainer_agree,
    "behaviour/preference": preference_margin_grows,
}

__all__ = ["STORIES", "Story"]
