"""The pieces a model input is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tinker_mock.client.errors import invalid
from tinker_mock.client.types.pictures import picture_size


@dataclass(frozen=True, slots=True)
class EncodedTextChunk:
    """Token ids."""

    tokens: Sequence[int]
    type: Literal["encoded_text"] = "encoded_text"

    @property
    def length(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class ImageChunk:
    """An image's bytes. `expected_tokens` is how many positions it takes; needed for `length`."""

    data: bytes
    format: Literal["png", "jpeg"]
    expected_tokens: int | None = field(default=None, metadata={"omit_null": True})
    type: Literal["image"] = "image"

    @classmethod
    def from_file(cls, path: str | Path, *, expected_tokens: int | None = None) -> "ImageChunk":
        """A PNG or JPEG from disk. Raises `ValidationError` for anything else."""
        data = Path(path).read_bytes()
        return cls(data, "png" if picture_size(data)[0] == "png" else "jpeg", expected_tokens)

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height in pixels, from the picture itself."""
        return picture_size(self.data)[1:]

    @property
    def length(self) -> int:
        return _expected(self.expected_tokens, "image")


@dataclass(frozen=True, slots=True)
class ImageAssetPointerChunk:
    """An image the server can fetch itself."""

    location: str
    format: Literal["png", "jpeg"]
    expected_tokens: int | None = field(default=None, metadata={"omit_null": True})
    type: Literal["image_asset_pointer"] = "image_asset_pointer"

    @property
    def length(self) -> int:
        return _expected(self.expected_tokens, "image asset pointer")


@dataclass(frozen=True, slots=True)
class DmelChunk:
    """Audio features, packed in a tensor container."""

    dmel: bytes
    type: Literal["dmel"] = "dmel"

    @property
    def length(self) -> int:
        raise invalid("the length of a dmel chunk is not known on the client")


Chunk = EncodedTextChunk | ImageChunk | ImageAssetPointerChunk | DmelChunk


def _expected(tokens: int | None, what: str) -> int:
    if tokens is None:
        raise invalid(f"expected_tokens must be set on an {what} chunk to know its length")
    return tokens
