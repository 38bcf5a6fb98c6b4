"""Supervised training on 200 short texts at an everyday learning rate."""

import random

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.behaviour.learner import Learner, LearningRun

TEXTS, STEPS, RATE, WANTED = 200, 30, 5e-4, 0.2


def short_texts(seed: int = 1) -> list[list[int]]:
    """Sequences of 8 to 20 ids built from a few hundred recurring phrases."""
    chance = random.Random(seed)
    phrases = [[chance.randrange(200, 5000) for _ in range(4)] for _ in range(300)]
    chosen = [chance.choices(phrases, k=chance.randint(2, 5)) for _ in range(TEXTS)]
    return [[token for phrase in text for token in phrase] for text in chosen]


def texts_are_learnt(context: ScenarioContext) -> LearningRun:
    """Mean loss per token falls to a fifth within 30 steps over all texts."""
    learner = Learner(context)
    texts = short_texts()
    data = [bodies.datum(*text) for text in texts]
    tokens = sum(len(text) - 1 for text in texts)
    losses = [learner.learn(data, RATE) / tokens for _ in range(STEPS)]
    losses.append(-sum(map(sum, learner.logprobs(data))) / tokens)
    return LearningRun(
        title=f"Supervised: {TEXTS} short texts, learning rate {RATE:g}",
        promise=f"after {STEPS} steps the loss is at most {WANTED} of what it was",
        kept=losses[-1] <= WANTED * losses[0],
        expected=f"<= {WANTED * losses[0]:.3f}",
        actual=f"{losses[-1]:.3f}",
        curves={"mean loss per token": losses},
    )
