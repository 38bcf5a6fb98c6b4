"""Opening sampling clients: on a base model, a checkpoint, or weights just saved."""

from typing import TypedDict, Unpack

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.futures.attempts import RetryConfig
from tinker_mock.client.sampling.client import AsyncSamplingClient, base_model_of
from tinker_mock.client.sampling.dispatch import DispatchLimits
from tinker_mock.client.sampling.handles import SamplerHandle
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.results import SaveWeightsForSamplerResponse
from tinker_mock.client.watch.queue_state import Observer

_CLONES = 1_000_000_000


class SamplerOptions(TypedDict, total=False):
    """What a sampling client can be told besides its weights."""

    retry_config: RetryConfig | None
    observer: Observer | None
    limits: DispatchLimits | None
    record_stability_info: bool


async def open_sampling_client(
    connection: Connection,
    *,
    base_model: str | None = None,
    model_path: str | None = None,
    **options: Unpack[SamplerOptions],
) -> AsyncSamplingClient:
    """Create a sampling session. Raises `ValidationError` unless exactly one source is named."""
    if (base_model is None) == (model_path is None):
        raise invalid("name either base_model or model_path, not both and not neither")
    session_id = await connection.session()
    source = {"base_model": base_model} if model_path is None else {"model_path": model_path}
    body = {
        "session_id": session_id,
        "sampling_session_seq_id": next(connection.sampler_numbers),
        **source,
        "type": "create_sampling_session",
    }
    answer = await connection.post("/api/v1/create_sampling_session", body, pool="session")
    name = answer.get("sampling_session_id")
    if not isinstance(name, str):
        raise ValidationError(
            "create_sampling_session: the answer has no sampling_session_id",
            category=Category.SERVER,
        )
    if base_model is None and connection.preset.sampler_lookup:
        base_model = await base_model_of(connection, name)
    return AsyncSamplingClient(
        connection, name, base_model=base_model, model_path=model_path, **options
    )


async def join_sampling_session(
    connection: Connection, sampling_session_id: str, **options: Unpack[SamplerOptions]
) -> AsyncSamplingClient:
    """Another client, in another process, on the same sampling session.

    Its numbers must not collide with the first client's: the server allots a block of them, or,
    where it does not, one is drawn at random.
    """
    await connection.session()
    if connection.settings.sample_join_sampling_session:
        body = {"sampling_session_id": sampling_session_id, "type": "join_sampling_session"}
        answer = await connection.post(
            "/api/v1/join_sampling_session", body, pool="session", persist=True
        )
        clone = int(answer["client_counter"])
    else:
        clone = connection.random.randrange(1, _CLONES)
    return AsyncSamplingClient(connection, sampling_session_id, clone=clone, **options)


async def open_sampler_handle(connection: Connection, handle: str) -> AsyncSamplingClient:
    """A client of the sampler behind a handle, in that sampler's own session."""
    found = SamplerHandle.decode(handle)
    await connection.adopt(found.session_id)
    client = await join_sampling_session(
        connection, found.sampling_session_id, record_stability_info=found.record_stability_info
    )
    client.base_model = found.base_model
    return client


async def sampling_client_for(
    connection: Connection,
    saved: SaveWeightsForSamplerResponse,
    *,
    base_model: str | None = None,
    **options: Unpack[SamplerOptions],
) -> AsyncSamplingClient:
    """A client on weights just saved: by their path, else by the session made for them."""
    if saved.path is not None:
        return await open_sampling_client(connection, model_path=saved.path, **options)
    if saved.sampling_session_id is None:
        raise ValidationError(
            "save_weights_for_sampler: the result has neither path nor sampling_session_id",
            category=Category.SERVER,
        )
    return AsyncSamplingClient(
        connection, saved.sampling_session_id, base_model=base_model, **options
    )
