"""How many positions the chunks of a model input take, counted without making them."""

from typing import Any

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service.image_tokens import image_tokens
from tinker_mock.server.service.images import head_of, picture_size, pointer_to

POINTER_TOKENS = 256
"""Positions of an image asset pointer without `expected_tokens`: nothing is fetched."""


def input_length(model_input: dict[str, Any], where: str, model: CatalogModel) -> int:
    """The positions of a model input. Raises BadRequest for pictures the model does not take."""
    chunks = enumerate(model_input["chunks"])
    return sum(positions_of(chunk, f"{where}.chunks[{place}]", model) for place, chunk in chunks)


def positions_of(chunk: dict[str, Any], where: str, model: CatalogModel) -> int:
    """The positions of a chunk.

    Releases up to 0.16 leave `type` out: the one field that only a kind has tells it.
    """
    if "tokens" in chunk:
        return len(chunk["tokens"])
    if "dmel" in chunk:
        _check_taken(model.audio, "sounds", where, model)
        return _dmel_positions(chunk, where)
    _check_taken(model.images, "pictures", where, model)
    expected = chunk.get("expected_tokens")
    if "location" in chunk:
        return POINTER_TOKENS if expected is None else int(expected)
    counted = _image_positions(chunk, f"{where}.data", model)
    if expected is not None and int(expected) != counted:
        raise BadRequest(
            f"{where}.expected_tokens: {expected} is not the {counted} tokens that {model.base} "
            "takes for this picture",
            pointer=pointer_to(f"{where}.expected_tokens"),
            rule="expected_tokens is the picture's number of tokens for this model",
            fix=f"send {counted}, or leave it out",
            requirement="sampling/images/expected-tokens",
        )
    return counted


def _check_taken(taken: bool, what: str, where: str, model: CatalogModel) -> None:
    if not taken:
        raise BadRequest(
            f"{where}: {model.name} takes no {what}",
            pointer=pointer_to(where),
            rule=f"only some models take {what}",
            fix=f"use a model that takes {what}, or leave this one out",
            requirement="sampling/images/vision-only",
        )


def _image_positions(chunk: dict[str, Any], where: str, model: CatalogModel) -> int:
    width, height = picture_size(chunk["data"], chunk["format"], where)
    try:
        return image_tokens(width, height, model.image_tokens)
    except ValueError as error:
        raise BadRequest(
            f"{where}: {error}",
            pointer=pointer_to(where),
            rule="a picture that the model's image processor takes",
            fix="send another picture",
        ) from error


def _dmel_positions(chunk: dict[str, Any], where: str) -> int:
    """The first dimension of the tensor container."""
    content = head_of(chunk["dmel"], f"{where}.dmel")
    try:
        return container_shape(content)[0]
    except (ValueError, IndexError) as error:
        raise BadRequest(
            f"{where}.dmel: {error}",
            pointer=pointer_to(f"{where}.dmel"),
            rule="a serialized tensor container with at least one dimension",
            fix="send the bytes the audio encoder wrote",
        ) from error


def container_shape(content: bytes) -> tuple[int, ...]:
    """The shape in a tensor container's header: [254] dtype ndim dim… with varint numbers."""
    offset = 1 if content[:1] == b"\xfe" else 0
    if len(content) <= offset or content[offset] > 7:
        raise ValueError("no tensor container header")
    rank, offset = _varint(content, offset + 1)
    shape = []
    for _ in range(rank):
        length, offset = _varint(content, offset)
        shape.append(length)
    return tuple(shape)


def _varint(content: bytes, offset: int) -> tuple[int, int]:
    value, shift = 0, 0
    while offset < len(content) and shift < 64:
        byte = content[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
    raise ValueError("the tensor container's header is cut off")
