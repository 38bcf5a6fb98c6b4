"""Penalties on log-probabilities: `fn(data, logprobs) -> (scalar, metrics)`."""

from .library import (
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
