"""The figures of one batch, from what was asked and what came out."""

from typing import Any

import numpy as np

from tinker_mock.server.observation.curves import BatchFigures


def batch_figures(given: dict[str, Any], outputs: list[dict[str, Any]]) -> BatchFigures:
    """Figures of a `forward_backward_input` and the outputs it got.

    `advantage:mean` and `kl_sampler_trainer:mean` (mean of q − p over positions with an
    advantage) where the loss is a policy's.
    """
    tokens, weight = 0, 0.0
    advantages: list[float] = []
    gaps: list[float] = []
    for datum, output in zip(given["data"], outputs, strict=False):
        scores = np.asarray(output["logprobs"], dtype=np.float64).ravel()
        inputs = datum["loss_fn_inputs"]
        tokens += scores.size
        if "advantages" in inputs:
            advantage = _array(inputs, "advantages", scores.size)
            counted = advantage != 0
            weight += float(counted.sum())
            advantages.extend(advantage[counted].tolist())
            if "logprobs" in inputs:
                sampled = _array(inputs, "logprobs", scores.size)
                gaps.extend((sampled - scores)[counted].tolist())
        elif "weights" in inputs:
            weight += float(np.abs(_array(inputs, "weights", scores.size)).sum())
        else:
            weight += scores.size
    means = {"advantage:mean": advantages, "kl_sampler_trainer:mean": gaps}
    return BatchFigures(tokens, weight, {k: float(np.mean(v)) for k, v in means.items() if v})


def _array(inputs: dict[str, Any], name: str, size: int) -> Any:
    """A dense input, flat; sparse ones and other shapes count as ones."""
    tensor = inputs[name]
    data = np.asarray(tensor["data"] if isinstance(tensor, dict) else tensor, dtype=np.float64)
    return data.ravel() if data.size == size else np.ones(size)
