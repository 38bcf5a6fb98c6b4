"""Direct preference optimization the way clients do it: forward, own loss, weights as gradient."""

import math
import random

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.server.behaviour.learner import Learner, LearningRun, answer_datum

PAIRS, STEPS, RATE, BETA, WANTED = 16, 12, 5e-4, 0.1, 0.5


def preference_margin_grows(context: ScenarioContext) -> LearningRun:
    """The loss starts at log 2 with margin 0, and the margin grows."""
    learner = Learner(context)
    chance = random.Random(2)
    prompts = [[chance.randrange(100, 900) for _ in range(6)] for _ in range(PAIRS)]
    answers = [[[chance.randrange(900, 2000) for _ in range(5)] for _ in range(2)] for _ in prompts]
    flat = [(p, a) for p, pair in zip(prompts, answers, strict=True) for a in pair]
    reference = _scores(learner, flat)
    losses, margins = [], []
    for _ in range(STEPS):
        scores = _scores(learner, flat)
        gains = [score - old for score, old in zip(scores, reference, strict=True)]
        margin = [BETA * (gains[2 * i] - gains[2 * i + 1]) for i in range(PAIRS)]
        losses.append(sum(math.log1p(math.exp(-m)) for m in margin) / PAIRS)
        margins.append(sum(margin) / PAIRS)
        learner.learn(_surrogate(flat, margin), RATE)
    at_start = abs(losses[0] - math.log(2)) < 1e-6 and margins[0] == 0.0
    return LearningRun(
        title=f"DPO: {PAIRS} pairs, learning rate {RATE:g}, beta {BETA:g}",
        promise=f"the loss starts at 0.69315 with margin 0, the margin passes {WANTED}",
        kept=at_start and margins[-1] > WANTED and losses[-1] < losses[0],
        expected=f"0.69315, 0, then > {WANTED}",
        actual=f"{losses[0]:.5f}, {margins[0]:g}, then {margins[-1]:.3f}",
        curves={"loss": losses, "margin": margins},
    )


def _scores(learner: Learner, flat: list[tuple[list[int], list[int]]]) -> list[float]:
    """Log-probability of each answer."""
    rows = learner.logprobs([answer_datum(prompt, answer) for prompt, answer in flat])
    return [sum(row[-len(answer) :]) for row, (_, answer) in zip(rows, flat, strict=True)]


def _surrogate(
    flat: list[tuple[list[int], list[int]]], margin: list[float]
) -> list[dict[str, object]]:
    """cross_entropy data whose weights are minus the gradient of the loss."""
    data = []
    for index, (prompt, answer) in enumerate(flat):
        pull = BETA / (1.0 + math.exp(margin[index // 2])) / PAIRS
        sign = 1.0 if index % 2 == 0 else -1.0
        data.append(answer_datum(prompt, answer, weights=[sign * pull] * len(answer)))
    return data
