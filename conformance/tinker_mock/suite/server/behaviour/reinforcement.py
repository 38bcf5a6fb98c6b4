"""REINFORCE on two arms: from chance to the rewarded one."""

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.server.behaviour.learner import Learner, LearningRun, answer_datum

PROMPT = (11, 12, 13, 14)
LEFT, RIGHT = 301, 302
STEPS, SAMPLES, RATE, WANTED = 25, 32, 5e-4, 0.9
WARM_STEPS, WARM_RATE = 40, 1e-3


def reward_is_found(context: ScenarioContext) -> LearningRun:
    """First taught to say either arm, then rewarded for one of them only."""
    learner = Learner(context)
    both = [answer_datum(PROMPT, [arm], weights=[1.0]) for arm in (LEFT, RIGHT)]
    for _ in range(WARM_STEPS):
        learner.learn(both, WARM_RATE)
    rewards = [_policy_step(learner, step) for step in range(STEPS)]
    before, after = rewards[0], sum(rewards[-5:]) / 5
    return LearningRun(
        title=f"REINFORCE: two arms, {SAMPLES} samples a step, learning rate {RATE:g}",
        promise=f"the reward goes from chance to above {WANTED}",
        kept=after > WANTED and before < 0.8,
        expected=f"first < 0.8, last > {WANTED}",
        actual=f"first {before:.2f}, last {after:.2f}",
        curves={"mean reward": rewards},
    )


def _policy_step(learner: Learner, step: int) -> float:
    """Sample, reward, train; the mean reward."""
    sampler = learner.sampler()
    found = learner.sample(sampler, PROMPT, num_samples=SAMPLES, max_tokens=1, seed=step, stop=[])
    rewards = [float(sequence["tokens"][0] == RIGHT) for sequence in found]
    mean = sum(rewards) / len(rewards)
    data = [
        answer_datum(PROMPT, s["tokens"], logprobs=s["logprobs"], advantages=[reward - mean])
        for s, reward in zip(found, rewards, strict=True)
    ]
    learner.learn(data, RATE, "importance_sampling")
    return mean
