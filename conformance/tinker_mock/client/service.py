"""`AsyncServiceClient`: where everything begins."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, TypeVar, Unpack

import httpx

from tinker_mock.client.clock import Clock
from tinker_mock.client.config import ClientConfig, ClientOptions
from tinker_mock.client.elixir.forms import FileTypes
from tinker_mock.client.errors import (
    ApiStatusError,
    Category,
    TinkerError,
    ValidationError,
    invalid,
)
from tinker_mock.client.futures.attempts import RetryConfig
from tinker_mock.client.futures.promises import Promises
from tinker_mock.client.http.call import Call
from tinker_mock.client.losses.custom import Backend
from tinker_mock.client.losses.handle import LossHandle, PerDatumLossFn, traced
from tinker_mock.client.rest.admin import AsyncAdminClient
from tinker_mock.client.rest.renamed import RenamedRestClient
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.sampling.dispatch import DispatchLimits
from tinker_mock.client.sampling.opening import (
    join_sampling_session,
    open_sampler_handle,
    open_sampling_client,
)
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.session.heartbeat import HeartbeatSettings
from tinker_mock.client.telemetry.attach import attach_telemetry
from tinker_mock.client.telemetry.reporter import TelemetryReporter
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.types.console import session_page
from tinker_mock.client.types.custom_loss import CreateCustomLossResponse, InputRank
from tinker_mock.client.types.json import decode, given
from tinker_mock.client.types.parameters import LoraConfig, OptimizerConfig
from tinker_mock.client.types.records import ServerCapabilities, WeightsInfo
from tinker_mock.client.types.results import CreateModelResponse, LoadWeightsResponse
from tinker_mock.client.watch.events import EventHub
from tinker_mock.client.watch.queue_state import Observer

T = TypeVar("T")

_LOG_LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


class AsyncServiceClient:
    """Creates training, sampling and REST clients. Close it, or use `async with`.

    Settings as in `ClientConfig.resolve`. `clock`, `random`, `http` and `events` are for tests
    and instruments: time, jitter, the httpx transport, and what the client tells about itself.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        events: EventHub | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        heartbeat: HeartbeatSettings | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        if config is not None and options:
            raise invalid("pass a ClientConfig or single options, not both")
        self.config = config or ClientConfig.resolve(**options)
        self.connection = Connection(
            self.config, clock=clock, random=random, events=events, http=http, heartbeat=heartbeat
        )
        attach_telemetry(self.connection)
        if self.config.log_level is not None:
            logging.getLogger(__package__).setLevel(_LOG_LEVELS[self.config.log_level])

    async def __aenter__(self) -> "AsyncServiceClient":
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        await self.close(reason="success" if failure is None else "errored")

    async def close(self, *, reason: str = "success", detail: str | None = None) -> None:
        """Finish the session, stop the heartbeat, close all connections.

        `reason` is success, errored or interrupted. A server that cannot finish sessions, or
        is gone, does not keep the client from closing.
        """
        if self.connection.closed:
            return
        if self.connection.session_id is not None and self._finishes:
            await self.connection.stop_heartbeat()  # a beat after the end would be refused
            path = f"/api/v1/sessions/{self.connection.session_id}/finish"
            body = {"reason": {"type": reason}, "detail": detail}
            call = Call("POST", path, json=body, pool="session", max_retries=0, timeout=10.0)
            try:
                await self.connection.transport.send(call)
            except TinkerError as error:
                self.connection.events.emit("session.finish_failed", error=error)
        await self.connection.close()

    @property
    def _finishes(self) -> bool:
        """Whether this client says that its session is over, and the server understands it."""
        connection = self.connection
        finishes = connection.preset.finishes_sessions and not connection.adopted
        return finishes and connection.speaks_protobuf

    def telemetry_reporter(self) -> TelemetryReporter | None:
        """What reports the session's events; `None` before the first session, or if turned off."""
        reporter: TelemetryReporter | None = self.connection.reporter
        return reporter

    def get_telemetry(self) -> TelemetryReporter | None:
        """As `telemetry_reporter`."""
        return self.telemetry_reporter()

    def get_console_url(self) -> str:
        """Where the console shows this session."""
        return session_page(self.connection.session_id)

    async def get_server_capabilities(self) -> ServerCapabilities:
        """The models the server offers."""
        await self.connection.configure()
        return ServerCapabilities.from_wire(await self._get("/api/v1/get_server_capabilities"))

    async def health(self) -> str:
        """The server's word about itself, `ok` if all is well."""
        return str((await self._get("/api/v1/healthz")).get("status", ""))

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """GET any address of the server; the decoded JSON, retried as all calls are."""
        return (await self.connection.transport.send(Call("GET", path, query=query or {}))).json()

    async def post(
        self, path: str, body: Any = None, *, files: Mapping[str, FileTypes] | None = None
    ) -> Any:
        """POST to any address of the server; with `files` as a form. The decoded JSON."""
        call = Call("POST", path, json=body, files=files)
        return (await self.connection.transport.send(call)).json()

    async def create_lora_training_client(
        self,
        base_model: str,
        rank: int = 32,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: Mapping[str, str] | None = None,
        optimizer: OptimizerConfig | None = None,
        *,
        optimizer_config: OptimizerConfig | None = None,
        observer: Observer | None = None,
    ) -> AsyncTrainingClient:
        """A new adapter on a base model. Raises `ValidationError` if nothing is to be trained.

        `optimizer` (or `optimizer_config`) chooses another optimiser than AdamW for good;
        `observer(state, reason)` hears when the server's queue pauses this client.
        """
        lora = LoraConfig(rank, seed, train_mlp, train_attn, train_unembed)
        chosen = optimizer if optimizer is not None else optimizer_config
        return await self._create_model(base_model, lora, user_metadata, chosen, observer)

    async def create_training_client_from_state(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: Mapping[str, str] | None = None,
        weights_access_token: str | None = None,
        optimizer: bool = False,
        *,
        observer: Observer | None = None,
    ) -> AsyncTrainingClient:
        """Continue from a checkpoint; with `optimizer`, bit for bit.

        `base_model` is another row of the same model, e.g. one with a longer context.
        """
        await self.connection.session()
        access = given(weights_access_token=weights_access_token)
        modern = self.connection.speaks_protobuf
        if modern and self.connection.preset.restore_operation == "load_weights":
            named = {**access, **given(base_model=base_model)}
            return await self._load_model(path, optimizer, user_metadata, named, observer)
        body = {"tinker_path": path}
        answer = await self.connection.post("/api/v1/weights_info", body, persist=True)
        info = decode(WeightsInfo, answer)
        if not info.is_lora or info.lora_rank is None:
            raise invalid(f"{path} is no LoRA checkpoint; only those can be trained on")
        parts = {
            name: getattr(info, name)
            for name in ("train_mlp", "train_attn", "train_unembed")
            if getattr(info, name) is not None
        }
        lora = LoraConfig(info.lora_rank, **parts)
        base_model = base_model or info.base_model
        client = await self._create_model(base_model, lora, user_metadata, None, observer)
        await client.load_state(path, optimizer=optimizer, **access)
        return client

    async def create_training_client_from_state_with_optimizer(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: Mapping[str, str] | None = None,
        weights_access_token: str | None = None,
        *,
        observer: Observer | None = None,
    ) -> AsyncTrainingClient:
        """As `create_training_client_from_state(path, optimizer=True)`."""
        return await self.create_training_client_from_state(
            path,
            optimizer=True,
            base_model=base_model,
            user_metadata=user_metadata,
            weights_access_token=weights_access_token,
            observer=observer,
        )

    async def create_sampling_client(
        self,
        base_model: str | None = None,
        model_path: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        *,
        observer: Observer | None = None,
        limits: DispatchLimits | None = None,
    ) -> AsyncSamplingClient:
        """Sample from a base model or from a checkpoint (`tinker://…/sampler_weights/…`).

        With `record_stability_info` the server keeps what the loss `stable_reinforce` needs.
        """
        return await open_sampling_client(
            self.connection,
            base_model=base_model,
            model_path=model_path,
            retry_config=retry_config,
            record_stability_info=record_stability_info,
            observer=observer,
            limits=limits,
        )

    async def join_sampling_session(
        self,
        sampling_session_id: str,
        *,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        observer: Observer | None = None,
        limits: DispatchLimits | None = None,
    ) -> AsyncSamplingClient:
        """A sampling client for a session that another process opened."""
        return await join_sampling_session(
            self.connection,
            sampling_session_id,
            retry_config=retry_config,
            record_stability_info=record_stability_info,
            observer=observer,
            limits=limits,
        )

    async def open_sampler_handle(self, handle: str) -> AsyncSamplingClient:
        """A client of the sampler behind a handle that another process made."""
        return await open_sampler_handle(self.connection, handle)

    async def create_custom_loss(
        self,
        fn: PerDatumLossFn,
        input_ranks: Mapping[str, InputRank],
        *,
        backend: Backend = "numpy",
    ) -> LossHandle:
        """Trace `fn(logprobs, …) -> (loss, metrics)`, a loss of one datum, and upload it.

        Its parameters after `logprobs` are keys of `loss_fn_inputs`, with a rank each: 0 for a
        number, 1 for [T], 2 for [T, K]. Metrics are named custom/<name>:sum or :mean. Where the
        server does not run losses, the handle runs on this side; the training goes alike. With
        `backend` "numpy" the loss uses operators, methods and `array_namespace(x)`, with "torch"
        torch's functions. Raises `ValidationError` for what no server could run.
        """
        session_id = await self.connection.session()
        handle = traced(fn, input_ranks, session_id, backend)
        losses: dict[str, LossHandle] = self.connection.custom_losses
        known = losses.setdefault(handle.key, handle)
        if known is not handle:
            raise invalid(
                f"create_custom_loss: this session already created {known.name!r} with the same "
                "traced loss; reuse its LossHandle"
            )
        if not self.connection.settings.custom_loss_server_side:
            return handle
        body = {
            "session_id": session_id,
            "custom_loss_seq_id": next(self.connection.loss_numbers),
            "name": handle.name,
            "inputs": handle.inputs,
            "graph": handle.graph,
            "type": "create_custom_loss",
        }
        answer = CreateCustomLossResponse
        created = await self._made("create_custom_loss", body, "CreateCustomLoss", answer)
        return replace(handle, loss_id=created.loss_id)

    async def copy_weights(
        self,
        path: str,
        *,
        ttl_seconds: int | None = None,
        weights_access_token: str | None = None,
    ) -> str:
        """Copy a checkpoint into this client's project; the copy's path."""
        copied = await self.create_rest_client().copy_weights(
            path,
            self.config.project_id,
            ttl_seconds=ttl_seconds,
            weights_access_token=weights_access_token,
        )
        return copied.tinker_path

    def create_rest_client(self) -> RenamedRestClient:
        """Runs, checkpoints, sessions; needs no session of its own."""
        return RenamedRestClient(self.connection)

    def create_admin_client(self) -> AsyncAdminClient:
        """Bills and the audit log, for those whose role allows it."""
        return AsyncAdminClient(self.connection)

    async def _create_model(
        self,
        base_model: str,
        lora: LoraConfig,
        user_metadata: Mapping[str, str] | None,
        optimizer_config: OptimizerConfig | None,
        observer: Observer | None,
    ) -> AsyncTrainingClient:
        session_id = await self.connection.session()
        body = {
            "session_id": session_id,
            "model_seq_id": next(self.connection.model_numbers),
            "base_model": base_model,
            "user_metadata": user_metadata,
            "lora_config": lora,
            "type": "create_model",
            **given(optimizer_config=optimizer_config),
        }
        created = await self._made("create_model", body, "CreateModel", CreateModelResponse)
        client = AsyncTrainingClient(
            self.connection, created.model_id, base_model=base_model, observer=observer
        )
        await self._introduce(client)
        return client

    async def _load_model(
        self,
        path: str,
        optimizer: bool,
        user_metadata: Mapping[str, str] | None,
        access: Mapping[str, Any],
        observer: Observer | None,
    ) -> AsyncTrainingClient:
        """The newest servers make the model and load it in one operation."""
        number = next(self.connection.model_numbers)
        body = {
            "session_id": self.connection.session_id,
            "model_seq_id": number,
            "path": path,
            "optimizer": optimizer,
            "type": "load_weights",
            **given(user_metadata=user_metadata),
            **access,
        }
        loaded = await self._made("load_weights", body, "LoadWeights", LoadWeightsResponse)
        model_id = loaded.model_id or f"{self.connection.session_id}:train:{number}"
        client = AsyncTrainingClient(self.connection, model_id, observer=observer)
        client.base_model = (await client.get_info()).model_data.model_name
        return client

    async def _introduce(self, client: AsyncTrainingClient) -> None:
        """Newer clients ask about a new model at once; a server need not know how to answer."""
        if self.connection.preset.model_info == "at_creation" and self.connection.speaks_protobuf:
            try:
                await client.get_info()
            except ApiStatusError as error:
                if error.status not in (404, 405):
                    raise

    async def _made(
        self, operation: str, body: Mapping[str, Any], request_type: str, answer: type[T]
    ) -> T:
        """Promise a model and wait for it: no lane exists yet, so there is no turn to take."""
        promises = Promises(self.connection)
        json = self.connection.encode(body, operation)
        call = Call("POST", f"/api/v1/{operation}", json=json, pool="training")
        submitted = await promises.submitted_or_done(call)
        return await promises.outcome(submitted, request_type, answer)

    async def _get(self, path: str) -> Any:
        body = (await self.connection.transport.send(Call("GET", path))).json()
        if not isinstance(body, dict):
            raise ValidationError(f"{path}: not an object", category=Category.SERVER)
        return body
