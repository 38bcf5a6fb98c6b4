"""Results of operations that run on the server for a while."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.types.console import page_of, playground_page
from tinker_mock.client.types.tensors import TensorData

LossFnOutput = Mapping[str, TensorData]
StopReason = Literal["length", "stop"]
TopK = Sequence[Sequence[tuple[int, float]] | None]
_NO_LOGPROB = -99999.0


@dataclass(frozen=True, slots=True)
class ForwardBackwardOutput:
    """One entry of `loss_fn_outputs` per datum, in order; metrics are `name:reduction`."""

    loss_fn_output_type: str
    loss_fn_outputs: Sequence[LossFnOutput]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class OptimStepResponse:
    """What the optimiser reports; names are the server's own."""

    metrics: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class SaveWeightsResponse:
    path: str
    type: str = "save_weights"
    size_bytes: int | None = None

    def get_console_url(self) -> str:
        """Where the console shows this checkpoint."""
        return page_of(self.path)


@dataclass(frozen=True, slots=True)
class LoadWeightsResponse:
    path: str | None = None
    model_id: str | None = None
    type: str = "load_weights"


@dataclass(frozen=True, slots=True)
class SaveWeightsForSamplerResponse:
    """A named save has a `path`, an ephemeral one a `sampling_session_id`."""

    path: str | None = None
    sampling_session_id: str | None = None
    type: str = "save_weights_for_sampler"

    def get_console_url(self) -> str:
        """Where the console shows this checkpoint. Raises `ValidationError` for an unnamed one."""
        return page_of(self._named())

    def get_playground_url(self) -> str:
        """Where to chat with it. Raises `ValidationError` for an unnamed one."""
        return playground_page(self._named())

    def _named(self) -> str:
        if self.path is None:
            raise invalid("weights that were saved without a name have no page")
        return self.path


@dataclass(frozen=True, slots=True)
class CreateModelResponse:
    model_id: str
    type: str = "create_model"


@dataclass(frozen=True, slots=True)
class UnloadModelResponse:
    model_id: str | None = None
    type: str = "unload_model"


@dataclass(frozen=True, slots=True)
class TopkLogprobs:
    """The likeliest tokens of each position, [positions, k]; cells without one are (0, -99999)."""

    token_ids: NDArray[Any]
    logprobs: NDArray[Any]

    @classmethod
    def of(cls, rows: TopK) -> "TopkLogprobs":
        """From rows of (token, logprob) pairs, of which some may be shorter or missing."""
        shape = len(rows), max((len(row or ()) for row in rows), default=0)
        found = cls(np.zeros(shape, np.int32), np.full(shape, _NO_LOGPROB, np.float32))
        for position, row in enumerate(rows):
            for rank, (token, logprob) in enumerate(row or ()):
                found.token_ids[position, rank] = token
                found.logprobs[position, rank] = logprob
        return found


@dataclass(frozen=True, slots=True)
class SampledSequence:
    """Tokens as sampled, the stop token included; `logprobs` one per token."""

    tokens: Sequence[int]
    logprobs: Sequence[float] | None = None
    stop_reason: StopReason | None = None
    topk_logprobs: TopK | None = None
    sequence_id: str | None = None

    @property
    def tokens_np(self) -> NDArray[Any]:
        """The tokens as int32 [tokens]."""
        return np.asarray(self.tokens, dtype=np.int32)

    @property
    def logprobs_np(self) -> NDArray[Any] | None:
        """Their log-probabilities as float32 [tokens]."""
        return None if self.logprobs is None else np.asarray(self.logprobs, dtype=np.float32)

    @property
    def topk_logprobs_np(self) -> TopkLogprobs | None:
        """The top k of each position as two matrices [tokens, k]."""
        return None if self.topk_logprobs is None else TopkLogprobs.of(self.topk_logprobs)


@dataclass(frozen=True, slots=True)
class PromptAltTokens:
    """Alternatives drawn at each prompt position after the first: both [positions - 1, k]."""

    tokens: NDArray[Any]
    logprobs: NDArray[Any]


@dataclass(frozen=True, slots=True)
class SampleResponse:
    """`prompt_logprobs` has one entry per prompt token; the first is `None`."""

    sequences: Sequence[SampledSequence]
    prompt_logprobs: Sequence[float | None] | None = None
    topk_prompt_logprobs: TopK | None = None
    prompt_cache_hit_tokens: int = 0
    target_prompt_logprobs: TensorData | None = None
    prompt_alt_tokens: PromptAltTokens | None = None
    type: str = field(default="sample", repr=False)

    @property
    def prompt_logprobs_np(self) -> NDArray[Any] | None:
        """`prompt_logprobs` as float32 [prompt], NaN where there is none."""
        if self.prompt_logprobs is None:
            return None
        return np.array([np.nan if x is None else x for x in self.prompt_logprobs], np.float32)

    @property
    def topk_prompt_logprobs_np(self) -> TopkLogprobs | None:
        """The top k of each prompt position as two matrices [prompt, k]."""
        rows = self.topk_prompt_logprobs
        return None if rows is None else TopkLogprobs.of(rows)


def forward_backward_output(body: Mapping[str, Any]) -> ForwardBackwardOutput:
    """Read a forward or forward_backward result from JSON. Raises `ValidationError`."""
    outputs = body.get("loss_fn_outputs")
    if not isinstance(outputs, list):
        raise _bad("a forward_backward result needs a list of 'loss_fn_outputs'")
    return ForwardBackwardOutput(
        str(body.get("loss_fn_output_type", "")),
        [{name: TensorData.from_wire(cell) for name, cell in one.items()} for one in outputs],
        {str(name): float(value) for name, value in (body.get("metrics") or {}).items()},
    )


def sample_response(body: Mapping[str, Any]) -> SampleResponse:
    """Read a sample result from JSON. Raises `ValidationError`."""
    sequences = body.get("sequences")
    if not isinstance(sequences, list):
        raise _bad("a sample result needs a list of 'sequences'")
    return SampleResponse(
        [_sequence(item) for item in sequences],
        body.get("prompt_logprobs"),
        top_k(body.get("topk_prompt_logprobs")),
        int(body.get("prompt_cache_hit_tokens") or 0),
        None
        if body.get("target_prompt_logprobs") is None
        else TensorData.from_wire(body["target_prompt_logprobs"]),
        _alternatives(body.get("prompt_alt_tokens")),
    )


def parse_stop_reason(text: object) -> StopReason | None:
    """`stop` or `length`; anything else is `None`."""
    return "stop" if text == "stop" else "length" if text == "length" else None


def top_k(rows: Any) -> TopK | None:
    """Rows of [id, logprob] pairs or {token_id, logprob} objects. Raises `ValidationError`."""
    if rows is None:
        return None
    return [None if row is None else [_candidate(cell) for cell in row] for row in rows]


def _candidate(cell: Any) -> tuple[int, float]:
    if isinstance(cell, Mapping) and {"token_id", "logprob"} <= set(cell):
        return int(cell["token_id"]), float(cell["logprob"])
    if isinstance(cell, (list, tuple)) and len(cell) == 2:
        return int(cell[0]), float(cell[1])
    raise _bad(f"a top-k entry is [token_id, logprob], got {cell!r}")


def _sequence(item: Mapping[str, Any]) -> SampledSequence:
    if "tokens" not in item:
        raise _bad("a sampled sequence needs 'tokens'")
    return SampledSequence(
        item["tokens"],
        item.get("logprobs"),
        parse_stop_reason(item.get("stop_reason")),
        top_k(item.get("topk_sampled_logprobs") or item.get("topk_logprobs")),
    )


def _alternatives(body: Any) -> PromptAltTokens | None:
    if body is None:
        return None
    return PromptAltTokens(
        TensorData.from_wire(body["tokens"]).to_numpy(),
        TensorData.from_wire(body["logprobs"]).to_numpy(),
    )


def _bad(message: str) -> ValidationError:
    return ValidationError(message, category=Category.SERVER)
