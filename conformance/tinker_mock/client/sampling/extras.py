"""What newer servers can compute about a prompt, and proof that they did."""

from dataclasses import dataclass
from typing import Any

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.types.results import SampleResponse
from tinker_mock.client.types.tensors import TensorData


@dataclass(frozen=True, slots=True)
class PromptExtras:
    """Optional parts of a sampling request; only those asked for are sent."""

    topk_prompt_logprobs: int = 0
    topk_sample_logprobs: int = 0
    target_prompt_logprobs: TensorData | None = None
    prompt_alt_tokens_k: int = 0
    prompt_logprobs_last_n: int | None = None

    def check(self, include_prompt_logprobs: bool | None) -> None:
        """Raise `ValidationError` for what a server would refuse."""
        for name in ("topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k"):
            if getattr(self, name) < 0:
                raise invalid(f"{name} must be at least 0, got {getattr(self, name)}")
        target = self.target_prompt_logprobs
        if target is not None and (target.dtype != "int64" or len(target.shape or ()) != 2):
            raise invalid("target_prompt_logprobs must be int64 of shape [len(prompt) - 1, K]")
        last = self.prompt_logprobs_last_n
        if last is not None and last < 1:
            raise invalid(f"prompt_logprobs_last_n must be at least 1, got {last}")
        if last is not None and not include_prompt_logprobs:
            raise invalid("prompt_logprobs_last_n needs include_prompt_logprobs")

    def fields(self) -> dict[str, Any]:
        """Body fields. `topk_prompt_logprobs` is as old as the API and always sent."""
        optional = {
            "topk_sample_logprobs": self.topk_sample_logprobs or None,
            "target_prompt_logprobs": self.target_prompt_logprobs,
            "prompt_alt_tokens_k": self.prompt_alt_tokens_k or None,
            "prompt_logprobs_last_n": self.prompt_logprobs_last_n,
        }
        asked = {name: value for name, value in optional.items() if value is not None}
        return {"topk_prompt_logprobs": self.topk_prompt_logprobs, **asked}


def check_honoured(response: SampleResponse, extras: PromptExtras) -> None:
    """A server that does not know an option ignores it silently. Raises `ValidationError`."""
    if extras.prompt_alt_tokens_k and response.prompt_alt_tokens is None:
        raise _ignored("prompt_alt_tokens_k")
    last = extras.prompt_logprobs_last_n
    if last is not None and response.prompt_logprobs is not None:
        early = list(response.prompt_logprobs)[:-last]
        if any(value is not None for value in early):
            raise _ignored("prompt_logprobs_last_n")


def _ignored(name: str) -> ValidationError:
    return ValidationError(f"the server ignored {name}: it is too old", category=Category.SERVER)
