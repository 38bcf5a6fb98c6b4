"""Penalties on log-probabilities: `fn(data, logprobs) -> (scalar, metrics)`."""

from tinker_mock.client.losses.regularizers.library import (
    consistency,
    elastic_net,
    entropy,
    gradient_penalty,
    kl_divergence,
    l1_sparsity,
    l2_weight_decay,
    orthogonality,
)

__all__ = [
    "consistency",
    "elastic_net",
    "entropy",
    "gradient_penalty",
    "kl_divergence",
    "l1_sparsity",
    "l2_weight_decay",
    "orthogonality",
]
