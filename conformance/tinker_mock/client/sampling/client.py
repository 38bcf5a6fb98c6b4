"""`AsyncSamplingClient`: samples and log-probabilities from one set of weights."""

import asyncio
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tinker_mock.client.errors import ApiStatusError, Category, TinkerError, ValidationError
from tinker_mock.client.futures.answers import Completed
from tinker_mock.client.futures.attempts import RetryConfig, RetryHandler
from tinker_mock.client.futures.chunks import model_input_bytes
from tinker_mock.client.futures.completions import SessionCompletions
from tinker_mock.client.futures.operation import Operation
from tinker_mock.client.futures.promises import Promises, Submitted
from tinker_mock.client.http.call import Call
from tinker_mock.client.sampling.dispatch import DispatchLimits, SamplingDispatch
from tinker_mock.client.sampling.extras import PromptExtras, check_honoured
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import SamplingParams
from tinker_mock.client.types.protobuf import sample_response as read_protobuf
from tinker_mock.client.types.results import SampleResponse, sample_response
from tinker_mock.client.types.tensors import TensorData
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
        clone: int = 0,
    ) -> None:
        self.connection = connection
        self.sampling_session_id = sampling_session_id
        self.base_model = base_model
        self.model_path = model_path
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
        *,
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
        body = self._body(prompt, num_samples, sampling_params, include_prompt_logprobs, extras)
        size = model_input_bytes(prompt, self.connection.preset)

        async def attempt() -> SampleResponse:
            return await self.completed(await self.submit(body, size))

        async def run() -> SampleResponse:
            response = await self._retry.run(attempt)
            check_honoured(response, extras)
            return response

        return Operation(run(), self.connection.clock)

    def compute_logprobs(self, prompt: ModelInput) -> Operation[list[float | None]]:
        """The log-probability of each prompt token given those before it; the first is `None`."""
        sampled = self.sample(prompt, 1, SamplingParams(max_tokens=1), include_prompt_logprobs=True)
        return sampled.then(lambda response: list(response.prompt_logprobs or ()))

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
        if self.connection.preset.asks_client_config:
            prompt_logprobs = bool(prompt_logprobs)
        body["prompt_logprobs"] = prompt_logprobs
        body |= extras.fields()
        return dict(self.connection.encode(body, nulls=False))

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
