"""Parameters and paths that the SDK does not check as this client does."""

from dataclasses import dataclass
from typing import Literal

from tinker_mock.client.rest.paths import parse_checkpoint_path
from tinker_mock.client.types import parameters

CheckpointType = Literal["training", "sampler", "external"]


@dataclass(frozen=True, slots=True)
class AdamParams(parameters.AdamParams):
    """One Adam step. What makes no sense the server refuses, as with the SDK."""

    def __post_init__(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class SamplingParams(parameters.SamplingParams):
    """How to sample. What makes no sense the server refuses, as with the SDK."""

    def __post_init__(self) -> None:
        return None


@dataclass(frozen=True)
class ParsedCheckpointTinkerPath:
    """A checkpoint's path taken apart; its id is `weights/NAME`."""

    tinker_path: str
    training_run_id: str
    checkpoint_type: CheckpointType
    checkpoint_id: str

    @classmethod
    def from_tinker_path(cls, tinker_path: str) -> "ParsedCheckpointTinkerPath":
        """Raises `ValidationError`, a `ValueError`, unless it is `tinker://RUN/KIND/NAME`."""
        path = parse_checkpoint_path(tinker_path)
        return cls(tinker_path, path.training_run_id, path.checkpoint_type, path.rest_id)
