"""How many tokens an operation reads and writes."""

from collections.abc import Mapping
from typing import Any


def prompt_tokens(payload: Mapping[str, Any]) -> int:
    """Tokens in every model input of a request, wherever it sits in the body."""
    total = 0
    for key, value in payload.items():
        if key == "chunks" and isinstance(value, list):
            total += sum(_chunk_length(chunk) for chunk in value)
        elif isinstance(value, Mapping):
            total += prompt_tokens(value)
        elif key == "data" and isinstance(value, list):
            total += sum(prompt_tokens(datum) for datum in value if isinstance(datum, Mapping))
    return total


def _chunk_length(chunk: Any) -> int:
    if not isinstance(chunk, Mapping):
        return 0
    tokens = chunk.get("tokens")
    return len(tokens) if tokens is not None else int(chunk.get("expected_tokens") or 0)


def written_tokens(result: Any) -> int:
    """Tokens of the longest sampled sequence: sequences of one request are written side by side."""
    sequences = result.get("sequences") if isinstance(result, Mapping) else None
    if sequences is None:
        sequences = getattr(result, "sequences", None)
    return max((len(_tokens(sequence)) for sequence in sequences or ()), default=0)


def _tokens(sequence: Any) -> Any:
    return sequence["tokens"] if isinstance(sequence, Mapping) else sequence.tokens
