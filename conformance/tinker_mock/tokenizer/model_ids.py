"""From the name of a model to the id of its tokenizer."""

from tinker_mock.tokenizer.errors import TokenizerError

LLAMA3_PREFIX = "meta-llama/Llama-3"
LLAMA3_TOKENIZER = "thinkingmachineslabinc/meta-llama-3-tokenizer"
KIMI_MODEL = "moonshotai/Kimi-K2-Thinking"
REVISIONS = {KIMI_MODEL: "612681931a8c906ddb349f8ad0f582cb552189cd"}


def tokenizer_id_of(model: str) -> str:
    """The Hugging Face id whose tokenizer a model uses.

    Llama 3 is gated, so its tokenizer comes from an open copy; `org/model/variant` is `org/model`;
    a `:revision` is not part of the id.
    """
    if not isinstance(model, str):
        raise TokenizerError(
            "validation", "model_name must be a binary", fix="Give a string.", detail=model
        )
    name = model.partition(":")[0]
    if name.startswith(LLAMA3_PREFIX):
        return LLAMA3_TOKENIZER
    parts = name.split("/")
    return "/".join(parts[:2]) if len(parts) == 3 else name
