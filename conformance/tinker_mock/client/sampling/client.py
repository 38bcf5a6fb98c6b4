"""`AsyncSamplingClient`: samples and log-probabilities from one set of weights."""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tinker_mock.client.errors import ApiStatusError, Category, TinkerError, ValidationError
from tinker_mock.client.futures.answers import Completed
from tinker_mock.client.futures.attempts import RetryConfig, RetryHandler
from tinker_mock.client.futures.chunks import model_input_bytes
from tinker_mock.client.futures.completions import SessionCompletions
from tinker_mock.client.futures.operation import Operation, started
from tinker_mock.client.futures.promises import Promises, Submitted
from tinker_mock.client.http.call import Call
from tinker_mock.client.sampling.dispatch import DispatchLimits, SamplingDispatch
from tinker_mock.client.sampling.extras import PromptExtras, check_honoured
from tinker_mock.client.sampling.handles import SamplerHandle
from tinker_mock.client.sampling.stream import StreamChunk, stream_sample
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.session.tokenizers import tokenizer_source
from tinker_mock.client.types.json import decode
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import SamplingParams
from tinker_mock.client.types.protobuf import sample_response as read_protobuf
from tinker_mock.client.types.records import Sampler
from tinker_mock.client.types.results import SampleResponse, sample_response
from tinker_mock.client.types.tensors import TensorData
from tinker_mock.client.types.text import load_tokenizer
from tinker_mock.client.watch.queue_state import Observer, QueueState, QueueStateLogger

SMALL_PROMPT_BYTES = 128 * 1024
_SMALL_BACKOFF, _LARGE_BACKOFF = 1.0, 5.0


class AsyncSamplingClient:
    """Samples without order: any number of calls may run at once.

    Requests that fail in passing are sent again; while the server pushes back (429), everybody
    who uses the same server and key holds back.
    """

    def __init__(
        self,
        connection: Connection,
        sampling_session_id: str,
        *,
        base_model: str | None = None,
        model_path: str | None = None,
        retry_config: RetryConfig | None = None,
        observer: Observer | None = None,
        limits: DispatchLimits | None = None,
        record_stability_info: bool = False,
        clone: int = 0,
    ) -> None:
        self.connection = connection
        self.sampling_session_id = sampling_session_id
        self.base_model = base_model
        self.model_path = model_path
        self._stability = record_stability_info
        self._log = QueueStateLogger("sampling", sampling_session_id, clock=connection.clock)
        self._promises = Promises(connection, self._log, *((observer,) if observer else ()))
        self._numbers = itertools.count(clone * 1_000_000_000)
        self._limiter = connection.limiter
        self._dispatch = SamplingDispatch(self._limiter, limits or _limits(connection))
        config = retry_config or RetryConfig(
            max_connections=connection.settings.sample_max_concurrent_requests
        )
        if connection.settings.sample_no_retries:
            config = replace(config, enable_retry_logic=False)
        if not connection.settings.sample_enable_stuck_detection:
            config = replace(config, progress_timeout=math.inf)
        self._completions = _completions(connection, sampling_session_id, clone)
        self._retry = RetryHandler(
            config, clock=connection.clock, random=connection.random, events=connection.events
        )

    def sample(
        self,
        prompt: ModelInput,
        num_samples: int = 1,
        sampling_params: SamplingParams | None = None,
        include_prompt_logprobs: bool | None = None,
        topk_prompt_logprobs: int = 0,
        topk_sample_logprobs: int = 0,
        target_prompt_logprobs: TensorData | None = None,
        prompt_alt_tokens_k: int = 0,
        prompt_logprobs_last_n: int | None = None,
    ) -> Operation[SampleResponse]:
        """Draw `num_samples` continuations of the prompt.

        `target_prompt_logprobs` is int64 [len(prompt) - 1, K], -1 for cells not wanted.
        """
        extras = PromptExtras(
            topk_prompt_logprobs,
            topk_sample_logprobs,
            target_prompt_logprobs,
            prompt_alt_tokens_k,
            prompt_logprobs_last_n,
        )
        extras.check(include_prompt_logprobs)
        body = self._body(prompt, num_samples, sampling_params, include_prompt_logprobs, extras)
        size = model_input_bytes(prompt, self.connection.preset)

        async def attempt() -> SampleResponse:
            return await self.completed(await self.submit(body, size))

        async def run() -> SampleResponse:
            response = await self._retry.run(attempt)
            check_honoured(response, extras)
            return response

        return started(self.connection, run())

    def sample_stream(
        self, prompt: ModelInput, sampling_params: SamplingParams | None = None
    ) -> AsyncIterator[StreamChunk]:
        """Draw one sample and yield each token when it comes: see `stream_sample`."""
        return stream_sample(self, prompt, sampling_params)

    def get_sampler_handle(self) -> str:
        """Text from which another process makes a client of the same sampler, without the key."""
        config = self.connection.config
        return SamplerHandle(
            session_id=self.connection.session_id or "",
            sampling_session_id=self.sampling_session_id,
            base_url=config.base_url,
            preset=config.preset.name,
            base_model=self.base_model,
            record_stability_info=self._stability,
        ).encode()

    def compute_logprobs(
        self, prompt: ModelInput, prompt_logprobs_last_n: int | None = None
    ) -> Operation[list[float | None]]:
        """The log-probability of each prompt token given those before it; the first is `None`.

        With `prompt_logprobs_last_n` only the last tokens' are computed.
        """
        sampled = self.sample(
            prompt,
            1,
            SamplingParams(max_tokens=1),
            include_prompt_logprobs=True,
            prompt_logprobs_last_n=prompt_logprobs_last_n,
        )
        return sampled.then(lambda response: list(response.prompt_logprobs or ()))

    async def get_base_model(self) -> str:
        """The base model's name; asks the server if it was not known when this was made."""
        if self.base_model is None:
            self.base_model = await base_model_of(self.connection, self.sampling_session_id)
        return self.base_model

    async def get_tokenizer(self) -> Any:
        """The base model's tokenizer, with `encode` and `decode`."""
        return load_tokenizer(await tokenizer_source(self.connection, await self.get_base_model()))

    def get_telemetry(self) -> Any:
        """What reports the session's events; `None` before there is one, or if turned off."""
        return self.connection.reporter

    def next_number(self) -> int:
        """The next sequence id; unique in the sampling session."""
        return next(self._numbers)

    def _body(
        self,
        prompt: ModelInput,
        num_samples: int,
        params: SamplingParams | None,
        prompt_logprobs: bool | None,
        extras: PromptExtras,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "sampling_session_id": self.sampling_session_id,
            "prompt": prompt,
            "sampling_params": params or SamplingParams(),
            "num_samples": num_samples,
            "type": "sample",
        }
        preset = self.connection.preset
        if prompt_logprobs is None and preset.unasked_prompt_logprobs == "false":
            prompt_logprobs = False
        body["prompt_logprobs"] = prompt_logprobs
        body |= extras.fields()
        if self._stability:
            body["record_stability_info"] = True
        return self.connection.encode(body, "asample", nulls=False)

    async def submit(self, body: Mapping[str, Any], size: int) -> Submitted:
        """POST asample, holding back together with everybody else while the server asks so."""
        body = {**body, "seq_id": self.next_number()}
        single = self.connection.preset.sample_submission == "single"
        async with self._dispatch.permit(size):
            while True:
                await self._limiter.wait()
                try:
                    submitted = await self._promises.submitted_or_done(
                        _call(body), persist=not single, passing=(429,)
                    )
                except ApiStatusError as error:
                    if error.status != 429:
                        raise
                    self._throttled(error, size)
                    if single:
                        raise
                    if self.connection.preset.renumber_on_throttle:
                        body["seq_id"] = self.next_number()
                else:
                    self._limiter.clear()
                    return submitted

    async def completed(self, submitted: Submitted) -> SampleResponse:
        """Poll for the samples, or read them if they came at once."""
        if not submitted.request_id:
            return sample_response(submitted.body)
        response = await self._fetched(submitted.request_id)
        return _named(response, submitted.body.get("sample_sequence_ids"))

    async def _fetched(self, request_id: str) -> SampleResponse:
        try:
            if self._completions is not None:
                await self._completions.wait_for(request_id)
            encoding = self._promises.result_encoding
            response = await self._promises.read(request_id, "Sample", read_samples, encoding)
        except asyncio.CancelledError:
            self.connection.abandon(request_id)
            raise
        if self._completions is not None:
            self._completions.retrieved(request_id)
        return response

    def _throttled(self, error: TinkerError, size: int) -> None:
        self._limiter.set_backoff(_SMALL_BACKOFF if size <= SMALL_PROMPT_BYTES else _LARGE_BACKOFF)
        state = error.data.get("queue_state")
        if state:
            self._log(QueueState.parse(state), error.data.get("queue_state_reason"))


def read_samples(completed: Completed) -> SampleResponse:
    """A sample result from either encoding."""
    if completed.content is not None:
        return read_protobuf(completed.content)
    if not isinstance(completed.result, Mapping):
        raise ValidationError("the sample result is not an object", category=Category.SERVER)
    return sample_response(completed.result)


async def base_model_of(connection: Connection, sampling_session_id: str) -> str:
    """What a sampling session samples from."""
    path = f"/api/v1/samplers/{quote(sampling_session_id, safe='')}"
    call = Call("GET", path, pool="session")
    reply = await connection.persistence.run(lambda: connection.transport.send(call))
    return decode(Sampler, reply.json()).base_model


def _named(response: SampleResponse, ids: Sequence[str] | None) -> SampleResponse:
    """Give sequences the ids the server announced when it took the request."""
    if not ids:
        return response
    if len(ids) != len(response.sequences):
        raise ValidationError(
            f"{len(ids)} sample_sequence_ids for {len(response.sequences)} sequences",
            category=Category.SERVER,
        )
    pairs = zip(response.sequences, ids, strict=True)
    return replace(response, sequences=[replace(one, sequence_id=name) for one, name in pairs])


def _call(body: Mapping[str, Any]) -> Call:
    return Call(
        "POST",
        "/api/v1/asample",
        json=body,
        headers={"x-tinker-sampling-backpressure": "1"},
        max_retries=0,
        pool="sampling",
    )


def _completions(
    connection: Connection, sampling_session_id: str, clone: int
) -> SessionCompletions | None:
    """Where the server wants one poll per session instead of one per sample."""
    if not connection.settings.sample_use_retrieve_futures:
        return None
    completions = SessionCompletions(connection.transport, sampling_session_id, clone=clone)
    connection.on_close.append(completions.close)
    return completions


def _limits(connection: Connection) -> DispatchLimits:
    if not connection.speaks_protobuf:
        return DispatchLimits()
    return DispatchLimits(byte_budget=connection.settings.sample_dispatch_bytes_semaphore_size)
