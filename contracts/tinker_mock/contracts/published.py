"""The documents as tools take them: OpenAPI 3.2 as it is written, 3.1 for most of today's."""

from functools import cache
from typing import Any

import orjson

from tinker_mock.contracts.bundle import Document
from tinker_mock.contracts.loader import load_contract

VERSIONS = {"3.1": "3.1.1", "3.2": "3.2.0"}
BYTES = {"type": "string", "format": "binary"}
NOT_PUBLISHED = ("x-digest",)


def published(name: str, version: str = "3.1") -> Document:
    """The contract `tinker`, `inference` or `control` in that version of OpenAPI.

    3.1 has no word for the events of a stream (`itemSchema`): there a stream is a string, and bytes
    are strings of the format `binary`, as generators of clients expect.
    Raises LookupError for another name or version.
    """
    if version not in VERSIONS:
        raise LookupError(f"no OpenAPI {version!r} here: choose one of {', '.join(VERSIONS)}")
    document = {k: v for k, v in load_contract(name).document.items() if k not in NOT_PUBLISHED}
    document["openapi"] = VERSIONS[version]
    older: Document = _older(document)
    return document if version == "3.2" else older


@cache
def published_bytes(name: str, version: str = "3.1") -> bytes:
    """The same as JSON; made once."""
    return orjson.dumps(published(name, version))


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(item) for item in node]
    if not isinstance(node, dict):
        return node
    told = {key: _older(value) for key, value in node.items()}
    if isinstance(told.get("content"), dict):
        told["content"] = {kind: _media(media) for kind, media in told["content"].items()}
    return told


def _media(media: Any) -> Any:
    """One media type's object: streams and bytes in the words that generators know."""
    if not isinstance(media, dict):
        return media
    schema = media.get("schema", {})
    if "itemSchema" in media:
        rest = {key: value for key, value in media.items() if key != "itemSchema"}
        return rest | {"schema": {"type": "string"}}
    if "schema" not in media or "x-protobuf" in schema:
        return media | {"schema": BYTES | schema}
    return media
