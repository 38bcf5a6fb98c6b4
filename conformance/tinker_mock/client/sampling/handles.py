"""A sampler as text, to be handed to another process."""

import base64
import json
from dataclasses import asdict, dataclass

from tinker_mock.client.errors import invalid


@dataclass(frozen=True, slots=True)
class SamplerHandle:
    """Where a sampler is and what it samples from; it holds no credentials."""

    session_id: str
    sampling_session_id: str
    base_url: str
    preset: str
    base_model: str | None = None
    record_stability_info: bool = False

    def encode(self) -> str:
        """URL-safe text."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def decode(cls, handle: str) -> "SamplerHandle":
        """Raises `ValidationError` for text that no `encode` made."""
        try:
            return cls(**json.loads(base64.urlsafe_b64decode(handle)))
        except (ValueError, TypeError) as error:
            raise invalid(f"no sampler handle: {error}") from None
