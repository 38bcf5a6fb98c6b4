"""`AsyncTrainingClient`: one model under training."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tinker_mock.client.futures.operation import Operation
from tinker_mock.client.futures.order import SubmissionOrder
from tinker_mock.client.futures.promises import Promises
from tinker_mock.client.http.call import Call
from tinker_mock.client.losses.custom import Backend, CustomLoss, forward_datum, merged_metrics
from tinker_mock.client.losses.pipeline import BaseLoss
from tinker_mock.client.losses.specification import RegularizerSpec
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.sampling.opening import sampling_client_for
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.training.loss_functions import (
    FIRST_LOSS_FNS,
    LOSS_FNS,
    check_loss_fn,
    normal_config,
)
from tinker_mock.client.training.submission import BatchRequest, BatchSubmitter
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.json import decode, given
from tinker_mock.client.types.parameters import AdamParams
from tinker_mock.client.types.records import ModelInfo
from tinker_mock.client.types.results import (
    ForwardBackwardOutput,
    LoadWeightsResponse,
    OptimStepResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsResponse,
    UnloadModelResponse,
)
from tinker_mock.client.types.text import decode_tokens, encode_text
from tinker_mock.client.watch.queue_state import Observer, QueueStateLogger

T = TypeVar("T")


class AsyncTrainingClient:
    """Forward and backward passes, optimiser steps, saving and loading.

    Every operation is submitted in the order of the calls and returns an `Operation` at once:
    submit the next before awaiting the last, and the server never idles.
    """

    def __init__(
        self,
        connection: Connection,
        model_id: str,
        *,
        base_model: str | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.connection = connection
        self.model_id = model_id
        self.base_model = base_model
        logger = QueueStateLogger("training", model_id, clock=connection.clock)
        observers = (logger,) if observer is None else (logger, observer)
        self._order = SubmissionOrder(poison=connection.preset.poisons_after_lost_submission)
        self._batches = BatchSubmitter(connection, model_id, *observers)
        self._promises = Promises(connection, *observers)
        self._tokenizer: str | None = None

    def forward(
        self,
        data: Sequence[Datum],
        loss_fn: str,
        loss_fn_config: Mapping[str, Any] | None = None,
    ) -> Operation[ForwardBackwardOutput]:
        """Losses and log-probabilities, no gradients. One output per datum, in order.

        Raises `ValidationError` at once for an unknown loss or setting, or an empty batch.
        """
        return self._submit_batch(self._checked(data, loss_fn, loss_fn_config, forward_only=True))

    def forward_backward(
        self,
        data: Sequence[Datum],
        loss_fn: str,
        loss_fn_config: Mapping[str, Any] | None = None,
    ) -> Operation[ForwardBackwardOutput]:
        """As `forward`, and gradients are added up on the server until `optim_step`."""
        return self._submit_batch(self._checked(data, loss_fn, loss_fn_config, forward_only=False))

    def forward_backward_custom(
        self,
        data: Sequence[Datum],
        loss: BaseLoss,
        *,
        regularizers: Sequence[RegularizerSpec] = (),
        track_grad_norms: bool = False,
        backend: Backend = "numpy",
    ) -> Operation[ForwardBackwardOutput]:
        """Gradients of a loss computed here: `loss(data, logprobs) -> loss or (loss, metrics)`.

        A forward pass, the loss and its gradient on this machine, and a backward pass; later
        operations wait for both. Metrics are the server's and the loss's own.
        """
        custom = CustomLoss(loss, regularizers, track_grad_norms, backend)
        plain = [forward_datum(datum) for datum in data]
        chunks = self._batches.split(plain)
        reservation = self._order.reserve(2 * len(chunks))
        forward_ids = reservation.seq_ids[: len(chunks)]
        backward_ids = reservation.seq_ids[len(chunks) :]
        modern = self.connection.preset.asks_client_config

        async def run() -> ForwardBackwardOutput:
            async with self._order.during(reservation):
                forward = BatchRequest(plain, "cross_entropy", None, forward_only=True)
                promised = await self._batches.submit(forward, chunks, forward_ids)
                result = await self._batches.collect(forward, promised)
                output, weighted = await custom.evaluate(data, result)
                backward = BatchRequest(weighted, "cross_entropy", None, forward_only=False)
                parts = self._batches.like(chunks, weighted)
                promised = await self._batches.submit(backward, parts, backward_ids)
            result = await self._batches.collect(backward, promised)
            return replace(result, metrics=merged_metrics(result, output, modern=modern))

        return self._watched(run)

    def optim_step(
        self, params: AdamParams | Mapping[str, Any] | None = None
    ) -> Operation[OptimStepResponse]:
        """Apply the gathered gradients and clear them.

        A mapping with a `type` other than Adam's is sent as `optimizer_params`.
        """
        name = "optimizer_params" if isinstance(params, Mapping) else "adam_params"
        body = {name: params or AdamParams(), "type": "optim_step"}
        return self._operation("optim_step", "OptimStep", body, OptimStepResponse)

    def save_state(
        self,
        name: str,
        *,
        ttl_seconds: int | None = None,
        overwrite: bool = False,
        user_metadata: Mapping[str, str] | None = None,
    ) -> Operation[SaveWeightsResponse]:
        """Save weights and optimiser under a name; the result has the `tinker://` path."""
        body: dict[str, Any] = {"path": name, "type": "save_weights"}
        body |= given(ttl_seconds=ttl_seconds, user_metadata=user_metadata)
        if overwrite:
            body["overwrite"] = True
        return self._operation("save_weights", "SaveWeights", body, SaveWeightsResponse)

    def load_state(
        self, path: str, *, optimizer: bool = False, weights_access_token: str | None = None
    ) -> Operation[LoadWeightsResponse]:
        """Load weights from a `tinker://` path; without `optimizer` its state starts anew."""
        body: dict[str, Any] = {"path": path, "optimizer": optimizer, "type": "load_weights"}
        body |= given(weights_access_token=weights_access_token)
        return self._operation("load_weights", "LoadWeights", body, LoadWeightsResponse)

    def load_state_with_optimizer(self, path: str) -> Operation[LoadWeightsResponse]:
        """Load weights and the optimiser's moments: training continues bit for bit."""
        return self.load_state(path, optimizer=True)

    def save_weights_for_sampler(
        self,
        name: str | None = None,
        *,
        ttl_seconds: int | None = None,
        user_metadata: Mapping[str, str] | None = None,
        kind: str | None = None,
    ) -> Operation[SaveWeightsForSamplerResponse]:
        """Make the current weights available for sampling: under a name, or just for now."""
        body: dict[str, Any] = {"type": "save_weights_for_sampler"}
        if name is None:
            body["sampling_session_seq_id"] = next(self.connection.sampler_numbers)
        else:
            body["path"] = name
        body |= given(ttl_seconds=ttl_seconds, user_metadata=user_metadata, kind=kind)
        return self._operation(
            "save_weights_for_sampler",
            "SaveWeightsForSampler",
            body,
            SaveWeightsForSamplerResponse,
        )

    def save_weights_external(
        self,
        name: str,
        *,
        ttl_seconds: int | None = None,
        age_encryption_recipients: Sequence[str] | None = None,
    ) -> Operation[SaveWeightsResponse]:
        """Save weights in files that can be downloaded, optionally encrypted for recipients."""
        body: dict[str, Any] = {"path": name, "type": "save_weights_external"}
        body |= given(ttl_seconds=ttl_seconds, age_encryption_recipients=age_encryption_recipients)
        return self._operation(
            "save_weights_external", "SaveWeightsExternal", body, SaveWeightsResponse
        )

    def save_weights_and_get_sampling_client(
        self, name: str | None = None, **sampling: Any
    ) -> Operation[AsyncSamplingClient]:
        """Save for the sampler and open a sampling client on exactly these weights."""
        saved = self.save_weights_for_sampler(name)

        async def open_client() -> AsyncSamplingClient:
            return await sampling_client_for(self.connection, await saved, **sampling)

        return Operation(open_client(), self.connection.clock)

    def unload_model(self) -> Operation[UnloadModelResponse]:
        """Tell the server that this model is no longer needed."""

        async def unload() -> UnloadModelResponse:
            body = self.connection.encode({"model_id": self.model_id, "type": "unload_model"})
            call = Call("POST", "/api/v1/unload_model", json=body, pool="training")
            submitted = await self._promises.submitted_or_done(call)
            return await self._promises.outcome(submitted, "UnloadModel", UnloadModelResponse)

        return Operation(unload(), self.connection.clock)

    async def get_info(self) -> ModelInfo:
        """What the server knows about this model: base model, tokenizer, LoRA rank."""
        body = {"model_id": self.model_id, "type": "get_info"}
        answer = await self.connection.post("/api/v1/get_info", body, pool="training", persist=True)
        return decode(ModelInfo, answer)

    async def encode(self, text: str) -> list[int]:
        """Token ids of a text, with the tokenizer the server names for this model."""
        return encode_text(text, model_name=await self._tokenizer_name())

    async def decode(self, tokens: Sequence[int]) -> str:
        """The text of token ids."""
        return decode_tokens(tokens, model_name=await self._tokenizer_name())

    async def _tokenizer_name(self) -> str | None:
        if self._tokenizer is None:
            data = (await self.get_info()).model_data
            self._tokenizer = data.tokenizer_id or data.model_name
        return self._tokenizer

    def _checked(
        self,
        data: Sequence[Datum],
        loss_fn: str,
        config: Mapping[str, Any] | None,
        *,
        forward_only: bool,
    ) -> BatchRequest:
        modern = self.connection.preset.asks_client_config
        check_loss_fn(loss_fn, LOSS_FNS if modern else FIRST_LOSS_FNS)
        normal = normal_config(config, text_allowed=modern)
        return BatchRequest(list(data), loss_fn, normal, forward_only)

    def _submit_batch(self, batch: BatchRequest) -> Operation[ForwardBackwardOutput]:
        chunks = self._batches.split(batch.data)
        reservation = self._order.reserve(len(chunks))

        async def run() -> ForwardBackwardOutput:
            async with self._order.during(reservation):
                request_ids = await self._batches.submit(batch, chunks, reservation.seq_ids)
            return await self._batches.collect(batch, request_ids)

        return self._watched(run)

    def _operation(
        self, path: str, request_type: str, body: dict[str, Any], cls: type[T]
    ) -> Operation[T]:
        """Reserve one number, submit in turn, poll."""
        reservation = self._order.reserve(1)
        full = {**body, "model_id": self.model_id, "seq_id": reservation.seq_ids.start}

        async def run() -> T:
            call = Call(
                "POST", f"/api/v1/{path}", json=self.connection.encode(full), pool="training"
            )
            async with self._order.during(reservation):
                submitted = await self._promises.submitted_or_done(call)
            return await self._promises.outcome(submitted, request_type, cls)

        return self._watched(run)

    def _watched(self, run: Callable[[], Awaitable[T]]) -> Operation[T]:
        async def work() -> T:
            return await run()

        return Operation(work(), self.connection.clock)
