"""The figures of one batch, from what was asked and what came out.

Rewards never come to the server. What comes of them are advantages, and these tell who did better
than its group, and by how much.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinker_mock.server.observation.curves import BatchFigures
from tinker_mock.server.service.inputs import CONTENT

NOTHING = np.zeros(0)
FAR = 50.0
"""A ratio's logarithm is shown up to here; what is beyond is not a policy any more."""


@dataclass(frozen=True)
class Rollout:
    """The positions of one sequence that carry an advantage, and the prompt before them.

    `gaps` (q − p) and `sampled` (q) are empty where the loss was given no sampler's
    log-probabilities.
    """

    prompt: tuple[Any, ...]
    advantages: Any
    gaps: Any
    sampled: Any


def batch_figures(given: dict[str, Any], outputs: list[dict[str, Any]]) -> BatchFigures:
    """Figures of a `forward_backward_input` and the outputs it got; `means` as `policy_means` has
    them where the loss is a policy's."""
    tokens, weight = 0, 0.0
    rollouts: list[Rollout] = []
    for datum, output in zip(given["data"], outputs, strict=False):
        scores = np.asarray(output["logprobs"], dtype=np.float64).ravel()
        inputs = datum["loss_fn_inputs"]
        tokens += scores.size
        if "advantages" in inputs:
            rollout = _rollout(datum, scores)
            weight += float(rollout.advantages.size)
            rollouts += [rollout] if rollout.advantages.size else []
        elif "weights" in inputs:
            weight += float(np.abs(_array(inputs, "weights", scores.size)).sum())
        else:
            weight += scores.size
    return BatchFigures(tokens, weight, policy_means(rollouts))


def policy_means(rollouts: list[Rollout]) -> dict[str, float]:
    """By name, over the positions (or sequences, or groups of a prompt) that carry an advantage.

    `advantage:mean`; `advantage_positive:mean`, the share of sequences above their baseline;
    `advantage_spread:mean`, what a group's best has over its worst: the spread of its rewards,
    where advantages are rewards less a mean. `sequence_tokens:mean`. With the sampler's
    log-probabilities: `kl_sampler_trainer:mean` (q − p), `ratio:mean` (exp(p − q)) and
    `sampled_entropy:mean` (−q).
    """
    if not rollouts:
        return {}
    groups = defaultdict(list)
    for rollout in rollouts:
        groups[rollout.prompt].append(float(rollout.advantages.mean()))
    own = [advantage for group in groups.values() for advantage in group]
    means = {
        "advantage:mean": _mean([r.advantages for r in rollouts]),
        "advantage_positive:mean": sum(advantage > 0 for advantage in own) / len(own),
        "advantage_spread:mean": sum(max(g) - min(g) for g in groups.values()) / len(groups),
        "sequence_tokens:mean": sum(r.advantages.size for r in rollouts) / len(rollouts),
    }
    if any(r.gaps.size for r in rollouts):
        gaps = np.concatenate([r.gaps for r in rollouts])
        means["kl_sampler_trainer:mean"] = float(gaps.mean())
        means["ratio:mean"] = float(np.exp(np.clip(-gaps, -FAR, FAR)).mean())
        means["sampled_entropy:mean"] = -_mean([r.sampled for r in rollouts])
    return means


def _rollout(datum: dict[str, Any], scores: Any) -> Rollout:
    inputs = datum["loss_fn_inputs"]
    advantages = _array(inputs, "advantages", scores.size)
    counted = np.flatnonzero(advantages)
    told = "logprobs" in inputs
    sampled = _array(inputs, "logprobs", scores.size)[counted] if told else NOTHING
    gaps = sampled - scores[counted] if told else NOTHING
    prompt = _prompt(datum, int(counted[0])) if counted.size else ()
    return Rollout(prompt, advantages[counted], gaps, sampled)


def _prompt(datum: dict[str, Any], first: int) -> tuple[Any, ...]:
    """What stands before the first target that counts. Sequences that agree in it are a group."""
    shown = [chunk for chunk in datum["model_input"]["chunks"] if "tokens" not in chunk]
    contents = tuple(chunk.get(name) for chunk in shown for name in CONTENT if name in chunk)
    before = np.asarray(datum["loss_fn_inputs"]["target_tokens"]["data"][:first], dtype=np.int64)
    return before.tobytes(), contents


def _mean(arrays: list[Any]) -> float:
    return float(np.concatenate(arrays).mean())


def _array(inputs: dict[str, Any], name: str, size: int) -> Any:
    """A dense input, flat; sparse ones and other shapes count as ones."""
    tensor = inputs[name]
    data = np.asarray(tensor["data"] if isinstance(tensor, dict) else tensor, dtype=np.float64)
    return data.ravel() if data.size == size else np.ones(size)
