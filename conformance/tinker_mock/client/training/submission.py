"""Submitting forward and forward_backward: JSON or protobuf, one request or several."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import zstandard

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.futures.answers import PROTOBUF, Completed
from tinker_mock.client.futures.chunks import ChunkLimits, DataChunk, split
from tinker_mock.client.futures.combine import combine
from tinker_mock.client.futures.promises import Promises
from tinker_mock.client.http.call import Call
from tinker_mock.client.semaphores import BytesSemaphore
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.protobuf import forward_backward_output as read_protobuf
from tinker_mock.client.types.protobuf import forward_backward_request
from tinker_mock.client.types.results import ForwardBackwardOutput, forward_backward_output
from tinker_mock.client.watch.queue_state import Observer


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One forward or forward_backward over a whole batch."""

    data: Sequence[Datum]
    loss_fn: str
    loss_fn_config: Mapping[str, float | str] | None
    forward_only: bool

    @property
    def request_type(self) -> str:
        return "Forward" if self.forward_only else "ForwardBackward"


class BatchSubmitter:
    """Submits forward and backward passes of one model and collects their results."""

    def __init__(self, connection: Connection, model_id: str, *observers: Observer) -> None:
        self._connection = connection
        self._model_id = model_id
        self._promises = Promises(connection, *observers)
        settings = connection.settings
        self._bytes = BytesSemaphore(settings.fwdbwd_dispatch_bytes_semaphore_size)
        self._limits = ChunkLimits(
            settings.fwdbwd_max_chunk_len, settings.fwdbwd_max_chunk_bytes_count
        )

    def split(self, data: Sequence[Datum]) -> list[DataChunk]:
        """The requests a batch becomes. Raises `ValidationError` for an empty batch."""
        if not data:
            raise invalid("data must not be empty")
        return split(data, self._connection.preset, self._limits)

    def like(self, chunks: Sequence[DataChunk], data: Sequence[Datum]) -> list[DataChunk]:
        """Other data, as many, cut at the same places."""
        rest = iter(data)
        return [DataChunk(list(islice(rest, len(chunk.data))), chunk.size) for chunk in chunks]

    async def submit(
        self, batch: BatchRequest, chunks: Sequence[DataChunk], seq_ids: range
    ) -> list[str]:
        """POST all chunks; returns their request ids in chunk order.

        In the newest clients the first chunk goes last: the server cannot start before it has
        it, and then has all.
        """
        pairs = list(zip(chunks, seq_ids, strict=True))
        if self._connection.preset.chunk_submission == "in_order" or not self._parallel:
            return [await self._post(batch, chunk, seq_id) for chunk, seq_id in pairs]
        rest = await asyncio.gather(*(self._post(batch, *pair) for pair in pairs[1:]))
        return [await self._post(batch, *pairs[0]), *rest]

    async def collect(
        self, batch: BatchRequest, request_ids: Sequence[str]
    ) -> ForwardBackwardOutput:
        """Poll all chunks at once and combine. The first failure cancels the other polls."""
        encoding = self._promises.result_encoding
        try:
            async with asyncio.TaskGroup() as group:
                polls = [
                    group.create_task(
                        self._promises.read(rid, batch.request_type, read_output, encoding)
                    )
                    for rid in request_ids
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return combine([poll.result() for poll in polls], self._connection.preset)

    @property
    def _parallel(self) -> bool:
        return self._connection.settings.parallel_fwdbwd_chunks

    async def _post(self, batch: BatchRequest, chunk: DataChunk, seq_id: int) -> str:
        call = self._call(batch, chunk, seq_id)
        async with self._bytes.hold(chunk.size):
            return (await self._promises.submitted(call)).request_id

    @property
    def _writes_protobuf(self) -> bool:
        """The newest clients always do, those before them where the server says so."""
        connection, preset = self._connection, self._connection.preset
        asked = preset.protobuf == "results" and connection.settings.proto_write_fwdbwd
        return connection.speaks_protobuf and (preset.protobuf == "always" or asked)

    def _call(self, batch: BatchRequest, chunk: DataChunk, seq_id: int) -> Call:
        connection = self._connection
        if self._writes_protobuf:
            content = forward_backward_request(
                chunk.data,
                model_id=self._model_id,
                seq_id=seq_id,
                loss_fn=batch.loss_fn,
                loss_fn_config=batch.loss_fn_config,
                forward_only=batch.forward_only,
            )
            return _protobuf_call(content, compress=connection.settings.proto_compress_fwdbwd)
        name = "forward" if batch.forward_only else "forward_backward"
        body = {
            f"{name}_input": {
                "data": chunk.data,
                "loss_fn": batch.loss_fn,
                "loss_fn_config": batch.loss_fn_config,
            },
            "model_id": self._model_id,
            "seq_id": seq_id,
        }
        encoded = connection.encode(body, name, nulls=connection.preset.body_type == "omit")
        return Call("POST", f"/api/v1/{name}", json=encoded, pool="training")


def read_output(completed: Completed) -> ForwardBackwardOutput:
    """The result of one chunk from either encoding."""
    if completed.content is not None:
        return read_protobuf(completed.content)
    if not isinstance(completed.result, Mapping):
        raise ValidationError("the result is not an object", category=Category.SERVER)
    return forward_backward_output(completed.result)


def _protobuf_call(content: bytes, *, compress: bool) -> Call:
    headers = {}
    if compress:
        content = zstandard.ZstdCompressor().compress(content)
        headers["content-encoding"] = "zstd"
    return Call(
        "POST",
        "/api/v1/forward_backward",
        content=content,
        content_type=PROTOBUF,
        headers=headers,
        pool="training",
    )
