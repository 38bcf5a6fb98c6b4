"""Losses of one datum, for whoever traces them: `namespace(x)` is torch, or the recorder's."""

from typing import Any


def losses(namespace: Any) -> dict[str, Any]:
    """Name → (loss, its inputs' ranks)."""

    def clipped(logprobs: Any, old_logprobs: Any, advantages: Any) -> Any:
        xp = namespace(logprobs)
        ratio = xp.exp(logprobs - old_logprobs)
        kept = xp.minimum(xp.maximum(ratio, old_logprobs), 1.2 + 0 * ratio)
        gain = xp.minimum(ratio * advantages, kept * advantages)
        return -gain.sum(), {"custom/ratio:mean": ratio.mean(), "custom/gain:sum": gain.sum()}

    def masked(logprobs: Any, weights: Any, threshold: Any) -> Any:
        xp = namespace(logprobs)
        chosen = (logprobs > threshold) & (weights != 0) | ~(logprobs <= 3)
        value = xp.where(chosen, -logprobs / 2, float("-inf"))
        return value.sum(), {"custom/max:mean": abs(value).max()}

    def sliced(logprobs: Any, weights: Any) -> Any:
        first, rest = logprobs[0], logprobs[1:]
        squares = (rest**2 - 1 / weights[1:]).sum()
        columns = logprobs[..., None] * weights[None, :]
        return squares + first * logprobs.shape[0], {"custom/t:sum": columns.T.mean(0).sum()}

    flat = {"logprobs": 1}
    return {
        "clipped": (clipped, {**flat, "old_logprobs": 1, "advantages": 1}),
        "masked": (masked, {**flat, "weights": 1, "threshold": 0}),
        "sliced": (sliced, {**flat, "weights": 1}),
    }
