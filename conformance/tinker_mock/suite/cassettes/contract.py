"""Cassettes against the contract: the third side of the drift, what releases really sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import zstandard

from tinker_mock.contracts import Operation, Violation
from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.contracts.operation import JSON
from tinker_mock.suite.cassettes.cassette import Interaction, cassette_paths, read_cassette
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.sdk.exchanges import judge

CASSETTES = FIXTURES / "cassettes"


def recorded_releases(directory: Path = CASSETTES) -> dict[str, Path]:
    """Release → the directory of the cassettes that this release of the SDK recorded."""
    found = sorted(directory.glob("tinker-*"))
    return {path.name.removeprefix("tinker-"): path for path in found}


def judge_cassettes(release: str, directory: Path) -> tuple[int, list[str]]:
    """How many interactions a release recorded, and what in them is out of contract."""
    routes = Routes("tinker")
    count, problems = 0, []
    for path in cassette_paths(directory):
        for interaction in read_cassette(path).interactions:
            count += 1
            problems += [f"{path.stem}: {p}" for p in judge(_entry(interaction, routes), release)]
    return count, problems


def _entry(interaction: Interaction, routes: Routes) -> dict[str, Any]:
    """An interaction in the shape of a journal entry."""
    split = urlsplit(interaction.path)
    operation = routes.match(interaction.method, split.path)
    request_type = interaction.request_headers.get("content-type", "")
    body, answer = _request_body(interaction), _json(interaction.response_body)
    found: list[Violation] = []
    if operation is not None:
        found = list(_violations(operation, interaction, body, answer, split.query))
    return {
        "operation": operation.id if operation else None,
        "method": interaction.method,
        "path": split.path,
        "status": interaction.status,
        "verdict": "ok",
        "violations": [violation.as_dict() for violation in found],
        "request_type": request_type,
        "request_headers": dict(interaction.request_headers),
        "request_body": _json(body),
        "response_body": answer,
    }


def _violations(
    operation: Operation, interaction: Interaction, body: bytes, answer: Any, query: str
) -> Iterator[Violation]:
    kind = interaction.request_headers.get("content-type", "").partition(";")[0]
    if body and operation.request_types:
        yield from operation.check_request(_json(body) if kind == JSON else body, kind)
    yield from operation.check_query(dict(parse_qsl(query)))
    content = answer if interaction.content_type == JSON else interaction.response_body
    if interaction.response_body:
        yield from operation.check_response(interaction.status, content, interaction.content_type)


def _request_body(interaction: Interaction) -> bytes:
    if interaction.request_headers.get("content-encoding") == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(interaction.request_body)
    return interaction.request_body


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
