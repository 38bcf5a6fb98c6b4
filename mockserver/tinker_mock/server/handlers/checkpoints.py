"""Checkpoints over HTTP."""

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing
from typing import Any

from tinker_mock.server.errors import NotFound
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service import (
    checkpoint_search,
    checkpoints,
    external,
    links,
    runs,
    traces,
)
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.encryption import encrypted
from tinker_mock.server.service.times import http_date, wire_time
from tinker_mock.server.state.records import Checkpoint
from tinker_mock.server.wire.exchange import JSON, Answer, Exchange
from tinker_mock.server.wire.ranges import part, wanted_range

TAR, BYTES = "application/x-tar", "application/octet-stream"


def list_run_checkpoints(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Checkpoints of a run, newest first."""
    run_id = exchange.path_params["run_id"]
    found = [c for c in _visible(backend, exchange) if c.run_id == run_id]
    if not found:
        runs.get_run(backend, exchange.owner, run_id, "/run_id")
    return {"checkpoints": [checkpoints.as_listed(checkpoint) for checkpoint in found]}


def list_user_checkpoints(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The caller's checkpoints, newest first."""
    offset, limit = exchange.query["offset"], exchange.query["limit"]
    found = [c for c in _visible(backend, exchange) if c.tenant_id == exchange.owner.id]
    page = found[offset : offset + limit]
    return {
        "checkpoints": [checkpoints.as_listed(checkpoint) for checkpoint in page],
        "cursor": {"offset": offset, "limit": limit, "total_count": len(found)},
    }


def search_checkpoints(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Search checkpoints, newest first."""
    return checkpoint_search.search(backend, exchange.owner, exchange.body)


def delete_checkpoint(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Delete a checkpoint of the caller."""
    checkpoints.remove(backend, _own(backend, exchange), "delete")
    return {}


def publish_checkpoint(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Make a checkpoint readable for everyone."""
    return _set_public(backend, exchange, True)


def unpublish_checkpoint(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Make a checkpoint private again."""
    return _set_public(backend, exchange, False)


def set_checkpoint_ttl(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Set the seconds a checkpoint has left, or null for no end."""
    expires_at = checkpoints.expiry(backend.clock.now(), exchange.body["ttl_seconds"])
    _own(backend, exchange).expires_at = expires_at
    return {}


def get_checkpoint_archive(backend: Backend, exchange: Exchange) -> Answer:
    """Where the archive is: a redirect, which every release takes."""
    checkpoint = _readable(backend, exchange)
    if checkpoint.kind == "training" and Quirk.SAMPLER_ARCHIVES_ONLY in backend.quirks:
        raise checkpoints.no_archive(checkpoint.path)
    url, expires = links.archive_link(backend, exchange.base_url, checkpoint)
    run_id, path = checkpoint.run_id, checkpoint.path
    record(backend, exchange.owner, "checkpoint_read", run_id, path, purpose="download")
    headers = {"Location": url, "Expires": http_date(expires)}
    link = {"url": url, "expires": wire_time(expires)}
    return Answer(302, link, headers=headers)


def get_external_weights_urls(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """A link to each file of an external checkpoint."""
    exchange.path_params["kind"] = "external_weights"
    checkpoint = _own(backend, exchange)
    urls, expires = {}, 0.0
    for name in external.file_names(checkpoint):
        file_id = f"external~{links.file_key(checkpoint)}~{name}"
        urls[name], expires = links.sign(backend, exchange.base_url, file_id)
    return {"urls": urls, "expires": wire_time(expires)}


async def download_file(backend: Backend, exchange: Exchange) -> Answer:
    """The bytes behind a signed link."""
    file_id = exchange.path_params["file_id"]
    query = exchange.query
    links.check(backend, file_id, query.get("expires", 0), query.get("signature", ""))
    kind, *parts = file_id.split("~")
    if kind == "trace":
        session = backend.state.sessions[parts[0]]
        return Answer(content=traces.content(backend, session), content_type=JSON)
    checkpoint = checkpoints.find(backend, _path_of_key(parts[0]), "file_id")
    if kind == "archive":
        size, pieces = await backend.compute(external.archive, backend, checkpoint)
        return _sent(exchange, pieces, size, TAR)
    file = await backend.compute(external.file_of, backend, checkpoint, parts[1])
    if checkpoint.recipients:
        secret = encrypted(file, checkpoint.recipients)
        return Answer(stream=_computed(backend, secret), content_type=BYTES)
    return _sent(exchange, file.pieces(), file.size, BYTES)


def _sent(exchange: Exchange, pieces: Iterator[bytes], size: int, kind: str) -> Answer:
    """A file, or the part of it that was asked for."""
    headers = {"Accept-Ranges": "bytes"}
    span = wanted_range(exchange.headers.get("range", ""), size)
    if span is None:
        headers["Content-Length"] = str(size)
        return Answer(stream=_given(pieces), content_type=kind, headers=headers)
    first, behind = span
    headers["Content-Length"] = str(behind - first)
    headers["Content-Range"] = f"bytes {first}-{behind - 1}/{size}"
    rest = _given(part(pieces, first, behind))
    return Answer(206, stream=rest, content_type=kind, headers=headers)


async def _given(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces that cost nothing to make."""
    for piece in pieces:
        yield piece


async def _computed(backend: Backend, pieces: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    """Pieces that are made in a worker thread."""
    with closing(pieces) as source:
        while (piece := await backend.compute(next, source, None)) is not None:
            yield piece


def _set_public(backend: Backend, exchange: Exchange, public: bool) -> dict[str, Any]:
    checkpoint = _own(backend, exchange)
    if checkpoint.public != public:
        checkpoint.public = public
        event = "checkpoint_publish" if public else "checkpoint_unpublish"
        record(backend, exchange.owner, event, checkpoint.run_id, checkpoint.path)
    return {}


def _visible(backend: Backend, exchange: Exchange) -> list[Checkpoint]:
    """What the caller may read and its release can parse."""
    external_known = exchange.dialect.understands("external_checkpoints")
    return [
        checkpoint
        for checkpoint in checkpoints.living(backend)
        if checkpoints.may_read(backend, exchange.owner, checkpoint)
        and (external_known or checkpoint.kind != "external")
    ]


def _own(backend: Backend, exchange: Exchange) -> Checkpoint:
    params = exchange.path_params
    return checkpoints.owned(
        backend, exchange.owner, params["run_id"], params["kind"], params["name"]
    )


def _readable(backend: Backend, exchange: Exchange) -> Checkpoint:
    params = exchange.path_params
    kind = checkpoints.KINDS[params["kind"]]
    path = checkpoints.path_of(params["run_id"], kind, params["name"])
    return checkpoints.readable(backend, exchange.owner, path, "path")


def _path_of_key(key: str) -> str:
    path = "tinker://" + key.replace("!", "/")
    if not checkpoints.PATH.match(path):
        raise NotFound(f"file_id: no file {key!r}", pointer="/file_id")
    return path
