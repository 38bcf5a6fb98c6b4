"""Checkpoint paths: `tinker://RUN/weights/NAME`."""

from dataclasses import dataclass
from typing import Literal

from tinker_mock.client.errors import invalid

Kind = Literal["training", "sampler", "external"]
_KINDS: dict[str, Kind] = {
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
}


@dataclass(frozen=True, slots=True)
class CheckpointPath:
    """A path taken apart. `rest_id` is the id that REST addresses use."""

    training_run_id: str
    segment: str
    checkpoint_id: str

    @property
    def checkpoint_type(self) -> Kind:
        return _KINDS[self.segment]

    @property
    def rest_id(self) -> str:
        return f"{self.segment}/{self.checkpoint_id}"

    def __str__(self) -> str:
        return f"tinker://{self.training_run_id}/{self.rest_id}"


def parse_checkpoint_path(path: str) -> CheckpointPath:
    """Take a path apart. Raises `ValidationError` unless it has exactly the three known parts."""
    scheme, separator, rest = path.partition("://")
    if scheme != "tinker" or not separator:
        raise invalid(f"Checkpoint path must start with tinker://, got: {path}")
    parts = rest.split("/")
    if len(parts) != 3 or not all(parts):
        raise invalid(f"Invalid checkpoint path: {path} (expected tinker://RUN/KIND/NAME)")
    if parts[1] not in _KINDS:
        raise invalid(f"Invalid checkpoint type in path: {path} (one of {', '.join(_KINDS)})")
    return CheckpointPath(*parts)
