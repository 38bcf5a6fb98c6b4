"""The samples drawn last, with what was asked: for looking at, so only a few are kept."""

from collections import deque
from dataclasses import dataclass
from typing import Any

SAMPLES_KEPT = 200
PROMPT_SHOWN = 2_000
SEQUENCES_SHOWN = 16


@dataclass(frozen=True)
class KeptSample:
    """One asample. `sequences` are the engine's: tokens, logprobs and stop_reason of each."""

    number: int
    request_id: str
    at: float
    base_model: str
    sampler_id: str
    chunks: list[dict[str, Any]]
    params: dict[str, Any]
    sequences: list[Any]

    def prompt_tokens(self) -> list[int | None]:
        """The last tokens of the prompt; None stands for a picture or sound."""
        tokens: list[int | None] = []
        for chunk in self.chunks:
            if "tokens" in chunk:
                tokens.extend(int(token) for token in chunk["tokens"])
            else:
                tokens.append(None)
        return tokens[-PROMPT_SHOWN:]


class RecentSamples:
    """A ring of the newest samples, numbered from 1."""

    def __init__(self) -> None:
        self.kept: deque[KeptSample] = deque(maxlen=SAMPLES_KEPT)
        self._count = 0

    def add(
        self,
        request_id: str,
        at: float,
        base_model: str,
        sampler_id: str,
        body: dict[str, Any],
        sequences: list[Any],
    ) -> None:
        """Keep one; references only, nothing is decoded."""
        self._count += 1
        chunks, params = body["prompt"]["chunks"], body.get("sampling_params") or {}
        shown = sequences[:SEQUENCES_SHOWN]
        self.kept.append(
            KeptSample(self._count, request_id, at, base_model, sampler_id, chunks, params, shown)
        )

    def forget(self) -> None:
        """As after a fresh start."""
        self.kept.clear()
        self._count = 0
