"""The sampler's log-probabilities are the trainer's."""

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.behaviour.learner import Learner, LearningRun, answer_datum

STEPS, SAMPLES, RATE, WANTED = 6, 16, 1e-3, 1e-5
PROMPT = (21, 22, 23)


def sampler_and_trainer_agree(context: ScenarioContext) -> LearningRun:
    """After every step: sample, score the samples with forward, compare token by token."""
    learner = Learner(context)
    data = [bodies.datum(*range(20 + i, 32 + i)) for i in range(4)]
    divergences, worst = [], []
    for step in range(STEPS):
        learner.learn(data, RATE)
        found = learner.sample(
            learner.sampler(), PROMPT, num_samples=SAMPLES, max_tokens=24, seed=step
        )
        rescored = learner.logprobs([answer_datum(PROMPT, s["tokens"]) for s in found])
        gaps = [
            sampled - scored
            for sequence, row in zip(found, rescored, strict=True)
            for sampled, scored in zip(sequence["logprobs"], row[len(PROMPT) - 1 :], strict=True)
        ]
        divergences.append(sum(gaps) / len(gaps))
        worst.append(max(map(abs, gaps)))
    return LearningRun(
        title="KL between sampler and trainer with equal weights",
        promise=f"no token's log-probability differs by more than {WANTED:g}",
        kept=max(worst) <= WANTED,
        expected=f"<= {WANTED:g}",
        actual=f"{max(worst):.3g}",
        curves={"mean difference (KL estimate)": divergences, "largest difference": worst},
    )
