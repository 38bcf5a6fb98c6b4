"""The figures of one batch, from what was asked and what came out.

Rewards never come to the server. What comes of them are advantages, and these tell who did better
than its group, and by how much.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.observation.curves import BatchFigures
from tinker_mock.server.service.inputs import CONTENT

FAR = 50.0
"""A ratio's logarithm is shown up to here; what is beyond is not a policy any more."""
Reals = NDArray[np.float64]


@dataclass
class Rollouts:
    """The sequences of a batch that have advantages, an array of positions each. `sampled` (q) has
    none where the loss was given no sampler's log-probabilities."""

    data: list[dict[str, Any]] = field(default_factory=list)
    advantages: list[Reals] = field(default_factory=list)
    scores: list[Reals] = field(default_factory=list)
    sampled: list[Reals] = field(default_factory=list)

    def add(self, datum: dict[str, Any], scores: Reals) -> float:
        """Take one more; how many of its positions count."""
        inputs = datum["loss_fn_inputs"]
        advantages = _array(inputs, "advantages", scores.size)
        self.data.append(datum)
        self.advantages.append(advantages)
        self.scores.append(scores)
        if "logprobs" in inputs:
            self.sampled.append(_array(inputs, "logprobs", scores.size))
        return float(np.count_nonzero(advantages))


def batch_figures(given: dict[str, Any], outputs: list[dict[str, Any]]) -> BatchFigures:
    """Figures of a `forward_backward_input` and the outputs it got; `means` as `policy_means` has
    them where the loss is a policy's."""
    tokens, weight = 0, 0.0
    rollouts = Rollouts()
    for datum, output in zip(given["data"], outputs, strict=False):
        scores = np.asarray(output["logprobs"], dtype=np.float64).ravel()
        inputs = datum["loss_fn_inputs"]
        tokens += scores.size
        if "advantages" in inputs:
            weight += rollouts.add(datum, scores)
        elif "weights" in inputs:
            weight += float(np.abs(_array(inputs, "weights", scores.size)).sum())
        else:
            weight += scores.size
    return BatchFigures(tokens, weight, policy_means(rollouts) if rollouts.data else {})


def policy_means(rollouts: Rollouts) -> dict[str, float]:
    """By name, over the positions (or sequences, or groups of a prompt) that carry an advantage.

    `advantage:mean`; `advantage_positive:mean`, the share of sequences above their baseline;
    `advantage_spread:mean`, what a group's best has over its worst: the spread of its rewards,
    where advantages are rewards less a mean. `sequence_tokens:mean`. With the sampler's
    log-probabilities: `kl_sampler_trainer:mean` (q − p), `ratio:mean` (exp(p − q)) and
    `sampled_entropy:mean` (−q).
    """
    everything = np.concatenate(rollouts.advantages)
    counted = np.flatnonzero(everything)
    if not counted.size:
        return {}
    sizes = np.array([advantages.size for advantages in rollouts.advantages])
    advantages, owners = everything[counted], np.repeat(np.arange(sizes.size), sizes)[counted]
    told, first, count = np.unique(owners, return_index=True, return_counts=True)
    own = np.add.reduceat(advantages, first) / count
    begins = counted[first] - (np.cumsum(sizes) - sizes)[told]
    groups = defaultdict(list)
    for number, begin, advantage in zip(told.tolist(), begins.tolist(), own.tolist(), strict=True):
        groups[_prompt(rollouts.data[number], begin)].append(advantage)
    means = {
        "advantage:mean": float(advantages.mean()),
        "advantage_positive:mean": float((own > 0).mean()),
        "advantage_spread:mean": sum(max(g) - min(g) for g in groups.values()) / len(groups),
        "sequence_tokens:mean": float(count.mean()),
    }
    if len(rollouts.sampled) == len(rollouts.data):
        sampled = np.concatenate(rollouts.sampled)[counted]
        gaps = sampled - np.concatenate(rollouts.scores)[counted]
        means["kl_sampler_trainer:mean"] = float(gaps.mean())
        means["ratio:mean"] = float(np.exp(np.clip(-gaps, -FAR, FAR)).mean())
        means["sampled_entropy:mean"] = -float(sampled.mean())
    return means


def _prompt(datum: dict[str, Any], first: int) -> tuple[Any, ...]:
    """What stands before the first target that counts. Sequences that agree in it are a group."""
    chunks = datum["model_input"]["chunks"]
    contents = [chunk.get(name) for chunk in chunks for name in CONTENT if "tokens" not in chunk]
    before = np.asarray(_values(datum["loss_fn_inputs"]["target_tokens"])[:first], dtype=np.int64)
    return before.tobytes(), *contents


def _array(inputs: dict[str, Any], name: str, size: int) -> Reals:
    """A dense input, flat; sparse ones and other shapes count as ones."""
    data = np.asarray(_values(inputs[name]), dtype=np.float64)
    return data.ravel() if data.size == size else np.ones(size)


def _values(tensor: Any) -> Any:
    return tensor["data"] if isinstance(tensor, dict) else tensor
