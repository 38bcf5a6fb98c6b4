"""What the catalogue forbids reaches the user at once, in the service's words, in any release."""

from typing import Any

import pytest

from tests.sdk.running import run_script
from tinker_mock.suite.sdk.environment import newest

REFUSED = {
    "a sequence too long": (
        "sequence length 32769 exceeds max sequence length 32768 for field target_tokens[1]"
    ),
    "a prompt too long": (
        "Prompt length plus max_tokens exceeds the model's context window: 33000 + 16 > 32768"
    ),
    "too many tokens": (
        "Prompt length plus max_tokens exceeds the model's context window: 32760 + 16 > 32768"
    ),
    "a rank of 48": "lora_config.rank must be a power of 2",
    "a retired model trained": "use Qwen/Qwen3.5-9B-Base instead",
    "a retired model sampled": "was retired on 2026-06-12",
    "a variant nobody offers": "unknown base model",
    "training state sampled": "holds training state and cannot be sampled",
    "sampler weights trained": "is no training checkpoint",
    "21 alternatives": "topk_prompt_logprobs",
    "a picture for a text model": "takes no pictures",
    "a picture miscounted": "63 is not the 64 tokens",
}
FINE = (
    "the step after it",
    "the sample after it",
    "sampler weights sampled",
    "training state trained",
    "a picture",
)


@pytest.mark.parametrize("version", ["0.7.0", "0.24.1", newest()])
@pytest.mark.tinker_mock(catalog_date="2026-11-28")
def test_the_sdk_tells_what_is_not_on_offer(version: str, tinker_mock: Any) -> None:
    seen = run_script(version, "limits_script.py", tinker_mock.url)
    for attempt, words in REFUSED.items():
        told = seen[attempt]
        assert words in told["message"], (attempt, told)
        assert told["type"] in {"BadRequestError", "UnprocessableEntityError"}, (attempt, told)
        assert told["seconds"] < 5, (attempt, told)  # nothing that the SDK repeats
    for attempt in FINE:
        assert seen[attempt]["type"] is None, (attempt, seen[attempt])
