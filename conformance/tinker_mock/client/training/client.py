"""`AsyncTrainingClient`: one model under training."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from tinker_mock.client.errors import invalid
from tinker_mock.client.futures.attempts import RetryConfig
from tinker_mock.client.futures.operation import Operation, started
from tinker_mock.client.futures.order import SubmissionOrder
from tinker_mock.client.futures.promises import Promises
from tinker_mock.client.http.call import Call
from tinker_mock.client.losses.custom import Backend, CustomLoss, forward_datum, merged_metrics
from tinker_mock.client.losses.handle import LossHandle
from tinker_mock.client.losses.pipeline import DEFAULT_TIMEOUT, BaseLoss
from tinker_mock.client.losses.specification import RegularizerSpec
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.sampling.dispatch import DispatchLimits
from tinker_mock.client.sampling.opening import open_sampling_client, sampling_client_for
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.session.tokenizers import tokenizer_source
from tinker_mock.client.training.loss_functions import (
    FIRST_LOSS_FNS,
    LOSS_FNS,
    check_loss_fn,
    normal_config,
)
from tinker_mock.client.training.submission import BatchRequest, BatchSubmitter
from tinker_mock.client.types.console import training_run_page
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.json import decode, given
from tinker_mock.client.types.parameters import AdamParams, OptimParams, check_ttl
from tinker_mock.client.types.records import ModelInfo
from tinker_mock.client.types.results import (
    ForwardBackwardOutput,
    LoadWeightsResponse,
    OptimStepResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsResponse,
    UnloadModelResponse,
)
from tinker_mock.client.types.text import decode_tokens, encode_text, load_tokenizer
from tinker_mock.client.watch.queue_state import Observer, QueueStateLogger

T = TypeVar("T")
SamplerKind = Literal["snapshot", "inflight"]


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
        self._info: ModelInfo | None = None
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
        loss_fn: BaseLoss | LossHandle,
        *,
        loss_type_input: Literal["logprobs"] | None = None,
        regularizers: Sequence[RegularizerSpec] = (),
        track_grad_norms: bool = False,
        parallel: bool = True,
        timeout: float | None = DEFAULT_TIMEOUT,
        backend: Backend = "numpy",
    ) -> Operation[ForwardBackwardOutput]:
        """Gradients of a loss computed here: `loss_fn(data, logprobs) -> loss or (loss, metrics)`.

        A forward pass, the loss and its gradient on this machine, and a backward pass; later
        operations wait for both. The loss and the regularizers run in threads, the latter side by
        side if `parallel` and for at most `timeout` seconds. Metrics are the server's and the
        loss's own. Raises `ValidationError` at once for a loss that cannot be called.
        `loss_type_input` is the SDK's: a loss always receives log-probabilities. A `LossHandle`
        that the server runs takes one pass there, with its data unchanged.
        """
        if loss_type_input not in (None, "logprobs"):
            raise invalid(f"loss_type_input is 'logprobs' or None, got {loss_type_input!r}")
        if isinstance(loss_fn, LossHandle):
            self._check_handle(loss_fn, data)
            if loss_fn.loss_id is not None:
                if regularizers:
                    raise invalid("regularizers run on this side: they need a loss that does too")
                return self.forward_backward(data, "custom", {"loss_id": loss_fn.loss_id})
            backend, loss_fn = loss_fn.backend, loss_fn.over
        custom = CustomLoss(loss_fn, regularizers, track_grad_norms, backend, parallel, timeout)
        plain = [forward_datum(datum) for datum in data]
        chunks = self._batches.split(plain)
        place = self._order.place()
        modern = self.connection.preset.asks_client_config

        async def run() -> ForwardBackwardOutput:
            async with self._order.during(place) as turn:
                forward = BatchRequest(plain, "cross_entropy", None, forward_only=True)
                promised = await self._batches.submit(forward, chunks, turn.take(len(chunks)))
                result = await self._batches.collect(forward, promised)
                output, weighted = await custom.evaluate(data, result, self.connection.events)
                backward = BatchRequest(weighted, "cross_entropy", None, forward_only=False)
                parts = self._batches.like(chunks, weighted)
                promised = await self._batches.submit(backward, parts, turn.take(len(chunks)))
            result = await self._batches.collect(backward, promised)
            return replace(result, metrics=merged_metrics(result, output, modern=modern))

        return self._watched(run)

    def optim_step(
        self, optim_params: OptimParams | None = None, *, adam_params: AdamParams | None = None
    ) -> Operation[OptimStepResponse]:
        """Apply the gathered gradients and clear them.

        `adam_params` is the older name of `optim_params`, which may also be another optimiser's.
        """
        if optim_params is not None and adam_params is not None:
            raise invalid("name either optim_params or adam_params, not both")
        params = optim_params if optim_params is not None else adam_params or AdamParams()
        name = "adam_params" if isinstance(params, AdamParams) else "optimizer_params"
        body = {name: params, "type": "optim_step"}
        return self._operation("optim_step", "OptimStep", body, OptimStepResponse)

    def save_state(
        self,
        name: str,
        ttl_seconds: int | None = None,
        overwrite: bool = False,
        user_metadata: Mapping[str, str] | None = None,
    ) -> Operation[SaveWeightsResponse]:
        """Save weights and optimiser under a name; the result has the `tinker://` path.

        With `ttl_seconds` it expires. Raises `ValidationError` for one that is not positive.
        """
        check_ttl(ttl_seconds)
        body: dict[str, Any] = {"path": name, "type": "save_weights"}
        body |= given(ttl_seconds=ttl_seconds, user_metadata=user_metadata)
        if overwrite:
            body["overwrite"] = True
        return self._operation("save_weights", "SaveWeights", body, SaveWeightsResponse)

    def load_state(
        self, path: str, weights_access_token: str | None = None, *, optimizer: bool = False
    ) -> Operation[LoadWeightsResponse]:
        """Load weights from a `tinker://` path; without `optimizer` its state starts anew."""
        body: dict[str, Any] = {"path": path, "optimizer": optimizer, "type": "load_weights"}
        body |= given(weights_access_token=weights_access_token)
        return self._operation("load_weights", "LoadWeights", body, LoadWeightsResponse)

    def load_state_with_optimizer(
        self, path: str, weights_access_token: str | None = None
    ) -> Operation[LoadWeightsResponse]:
        """Load weights and the optimiser's moments: training continues bit for bit."""
        return self.load_state(path, weights_access_token, optimizer=True)

    def save_weights_for_sampler(
        self,
        name: str | None = None,
        ttl_seconds: int | None = None,
        user_metadata: Mapping[str, str] | None = None,
        *,
        kind: SamplerKind | None = None,
    ) -> Operation[SaveWeightsForSamplerResponse]:
        """Make the current weights available for sampling: under a name, or just for now.

        Unnamed weights are a `snapshot`, or `inflight`: shared by all such clients of this model,
        and replaced by the next save.
        """
        check_ttl(ttl_seconds)
        if kind not in (None, "snapshot", "inflight"):
            raise invalid(f"kind is snapshot or inflight, got {kind!r}")
        body: dict[str, Any] = {"type": "save_weights_for_sampler"}
        if name is None:
            body["sampling_session_seq_id"] = next(self.connection.sampler_numbers)
            kind = kind or self.connection.preset.ephemeral_kind
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
        ttl_seconds: int | None = None,
        age_encryption_recipients: Sequence[str] | None = None,
    ) -> Operation[SaveWeightsResponse]:
        """Save weights in files that can be downloaded, optionally encrypted for recipients."""
        check_ttl(ttl_seconds)
        body: dict[str, Any] = {"path": name, "type": "save_weights_external"}
        body |= given(ttl_seconds=ttl_seconds, age_encryption_recipients=age_encryption_recipients)
        return self._operation(
            "save_weights_external", "SaveWeightsExternal", body, SaveWeightsResponse
        )

    def save_weights_and_get_sampling_client(
        self,
        name: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        kind: SamplerKind | None = None,
        *,
        observer: Observer | None = None,
        limits: DispatchLimits | None = None,
    ) -> Operation[AsyncSamplingClient]:
        """Save for the sampler and open a sampling client on exactly these weights.

        The SDKs' presets ignore the `name`, as the SDKs do: the weights live as long as the client.
        """
        named = self.connection.preset.sampler_save == "named"
        saved = self.save_weights_for_sampler(name if named else None, kind=kind)

        async def open_client() -> AsyncSamplingClient:
            return await sampling_client_for(
                self.connection,
                await saved,
                base_model=self.base_model,
                retry_config=retry_config,
                record_stability_info=record_stability_info,
                observer=observer,
                limits=limits,
            )

        return started(self.connection, open_client())

    async def create_sampling_client(
        self,
        model_path: str,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        *,
        observer: Observer | None = None,
        limits: DispatchLimits | None = None,
    ) -> AsyncSamplingClient:
        """Sample from saved weights (`tinker://…/sampler_weights/…`) in this client's session."""
        return await open_sampling_client(
            self.connection,
            model_path=model_path,
            retry_config=retry_config,
            record_stability_info=record_stability_info,
            observer=observer,
            limits=limits,
        )

    def unload_model(self) -> Operation[UnloadModelResponse]:
        """Tell the server that this model is no longer needed."""

        async def unload() -> UnloadModelResponse:
            named = {"model_id": self.model_id, "type": "unload_model"}
            body = self.connection.encode(named, "unload_model")
            call = Call("POST", "/api/v1/unload_model", json=body, pool="training")
            submitted = await self._promises.submitted_or_done(call)
            return await self._promises.outcome(submitted, "UnloadModel", UnloadModelResponse)

        return started(self.connection, unload())

    async def get_info(self) -> ModelInfo:
        """What the server knows about this model: base model, tokenizer, LoRA rank.

        Newer presets asked when the client was made and answer from memory.
        """
        if self._info is not None and self.connection.preset.model_info == "at_creation":
            return self._info
        body = {"model_id": self.model_id, "type": "get_info"}
        answer = await self.connection.post("/api/v1/get_info", body, pool="training", persist=True)
        self._info = decode(ModelInfo, answer)
        return self._info

    async def encode(self, text: str, *, tokenizer_id: str | None = None) -> list[int]:
        """Token ids of a text, with the tokenizer the server names, or with another one."""
        return encode_text(text, model_name=tokenizer_id or await self.tokenizer_source())

    async def decode(self, tokens: Sequence[int], *, tokenizer_id: str | None = None) -> str:
        """The text of token ids."""
        name = tokenizer_id or await self.tokenizer_source()
        return decode_tokens(tokens, model_name=name)

    async def get_tokenizer(self) -> Any:
        """The tokenizer that the server names for this model, with `encode` and `decode`."""
        return load_tokenizer(await self.tokenizer_source())

    async def tokenizer_source(self) -> str | None:
        """The name or directory of its tokenizer; asks a mock on this machine if need be."""
        data = (self._info or await self.get_info()).model_data
        if self._tokenizer is None:
            name = data.tokenizer_id or data.model_name
            self._tokenizer = await tokenizer_source(self.connection, name)
        return self._tokenizer

    def get_telemetry(self) -> Any:
        """What reports the session's events; `None` before there is one, or if turned off."""
        return self.connection.reporter

    def get_console_url(self) -> str:
        """Where the console shows this run."""
        return training_run_page(self.model_id)

    def _check_handle(self, handle: LossHandle, data: Sequence[Datum]) -> None:
        if handle.session_id != self.connection.session_id:
            raise invalid(
                f"the loss {handle.name!r} was created in session {handle.session_id}: only its "
                "clients can use it"
            )
        handle.check(data)

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
        place = self._order.place()

        async def run() -> ForwardBackwardOutput:
            async with self._order.during(place) as turn:
                request_ids = await self._batches.submit(batch, chunks, turn.take(len(chunks)))
            return await self._batches.collect(batch, request_ids)

        return self._watched(run)

    def _operation(
        self, path: str, request_type: str, body: dict[str, Any], cls: type[T]
    ) -> Operation[T]:
        """Submit in turn, poll."""
        json = self.connection.encode({**body, "model_id": self.model_id}, path)
        place = self._order.place()

        async def run() -> T:
            async with self._order.during(place) as turn:
                numbered = {**json, "seq_id": turn.take(1).start}
                call = Call("POST", f"/api/v1/{path}", json=numbered, pool="training")
                submitted = await self._promises.submitted_or_done(call)
            return await self._promises.outcome(submitted, request_type, cls)

        return self._watched(run)

    def _watched(self, run: Callable[[], Awaitable[T]]) -> Operation[T]:
        async def work() -> T:
            return await run()

        return started(self.connection, work())
