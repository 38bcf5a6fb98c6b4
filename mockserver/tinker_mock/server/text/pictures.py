"""Pictures in a conversation: where they stand in the text, and how many tokens they take."""

from typing import Any

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service.positions import positions_of

PICTURE = "\ufdd0"
"""Stands in a message's text for one picture: a code point that no text has."""
FORMATS = {"image/png": "png", "image/jpeg": "jpeg"}


def without_marks(text: str) -> str:
    """Text that cannot be taken for a picture."""
    return text.replace(PICTURE, "")


def picture_chunk(source: dict[str, Any], where: str) -> dict[str, Any]:
    """An Anthropic image source as the picture chunk that `asample` takes; raises BadRequest."""
    kind, media = source["type"], source.get("media_type")
    if kind != "base64" or media not in FORMATS:
        told = f"a source of type {kind!r}" if kind != "base64" else f"{media}"
        raise BadRequest(
            f"{where}: {told} is not taken",
            pointer="/" + where.replace(".", "/").replace("[", "/").replace("]", ""),
            rule=f"base64 data of {' or '.join(FORMATS)}",
            fix='send {"type": "base64", "media_type": "image/png", "data": …}',
        )
    return {
        "data": source.get("data") or "",
        "format": FORMATS[media],
        "where": where,
    }


def pictures_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pictures of a conversation, in the order of their marks."""
    return [chunk for message in messages for chunk in message.get("pictures", ())]


def picture_tokens(chunk: dict[str, Any], model: CatalogModel) -> int:
    """How many tokens a picture takes; raises BadRequest for what is none, and for a model that
    sees none."""
    return positions_of(chunk, chunk["where"], model)
