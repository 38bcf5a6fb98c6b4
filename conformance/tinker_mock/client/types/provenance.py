"""Where a datum's tokens came from: runs of sampled sequences and of their prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.errors import invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptProvenanceSpan:
    """Positions [offset, offset + length) of the prompt that a sequence was sampled from."""

    sequence_id: str
    length: int
    offset: int = 0

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledProvenanceSpan:
    """Positions [offset, offset + length) of a sequence's sampled tokens."""

    sequence_id: str
    length: int
    offset: int = 0

    def __post_init__(self) -> None:
        _check(self)


ProvenanceSpan = PromptProvenanceSpan | SampledProvenanceSpan
ProvenanceSpans = Sequence[ProvenanceSpan]


def check_tiling(name: str, spans: Sequence[ProvenanceSpan], positions: int) -> None:
    """Raise `ValidationError` unless the spans cover as many positions as there are."""
    if not all(isinstance(span, ProvenanceSpan) for span in spans):
        raise invalid(f"{name}: every span is a PromptProvenanceSpan or a SampledProvenanceSpan")
    covered = sum(span.length for span in spans)
    if covered != positions:
        raise invalid(f"{name}: the spans cover {covered} positions, there are {positions}")


def _check(span: Any) -> None:
    name = type(span).__name__
    if not span.sequence_id:
        raise invalid(f"{name}.sequence_id must not be empty")
    if span.length < 0 or span.offset < 0:
        raise invalid(f"{name}: length and offset must be at least 0")
