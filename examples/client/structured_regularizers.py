"""A base loss and all eight penalties, computed together without a server."""

import asyncio

import numpy as np

from tinker_mock.client import RegularizerSpec
from tinker_mock.client.losses.pipeline import compute_loss
from tinker_mock.client.losses.regularizers import (
    consistency,
    elastic_net,
    entropy,
    gradient_penalty,
    kl_divergence,
    l1_sparsity,
    l2_weight_decay,
    orthogonality,
)

logprobs = np.log(np.full((3, 4), 0.25))
data = [{"original_logprobs": logprobs}]


def kl(data, logprobs):
    return kl_divergence(data, logprobs, reference_logprobs=np.log(np.full((3, 4), 0.25)))


def smooth(data, logprobs):
    return gradient_penalty(data, logprobs, loss=lambda values: (values * values).sum())


specs = [
    RegularizerSpec(l1_sparsity, 0.01, "l1"),
    RegularizerSpec(l2_weight_decay, 0.01, "l2"),
    RegularizerSpec(elastic_net, 0.01, "elastic_net"),
    RegularizerSpec(entropy, 0.1, "entropy"),
    RegularizerSpec(kl, 0.1, "kl"),
    RegularizerSpec(consistency, 0.1, "consistency"),
    RegularizerSpec(orthogonality, 0.1, "orthogonality"),
    RegularizerSpec(smooth, 0.1, "gradient_penalty"),
]
base = lambda data, logprobs: (-logprobs.mean(), {})  # noqa: E731
output = asyncio.run(compute_loss(base, data, logprobs, specs, track_grad_norms=True))
print(f"base loss {output.base_value:.4f}, with penalties {output.loss_total:.4f}")
for one in output.regularizers:
    print(f"{one.name}: {one.value:.4f} x {one.weight}")
