"""Opening sampling clients: on a base model, a checkpoint, or weights just saved."""

from typing import Any
from urllib.parse import quote

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.http.call import Call
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.json import decode
from tinker_mock.client.types.records import Sampler
from tinker_mock.client.types.results import SaveWeightsForSamplerResponse

_CLONES = 1_000_000_000


async def open_sampling_client(
    connection: Connection,
    *,
    base_model: str | None = None,
    model_path: str | None = None,
    **options: Any,
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
        base_model = await _base_model(connection, name)
    return AsyncSamplingClient(
        connection, name, base_model=base_model, model_path=model_path, **options
    )


async def join_sampling_session(
    connection: Connection, sampling_session_id: str, **options: Any
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


async def sampling_client_for(
    connection: Connection, saved: SaveWeightsForSamplerResponse, **options: Any
) -> AsyncSamplingClient:
    """A client on weights just saved: by their path, else by the session made for them."""
    if saved.path is not None:
        return await open_sampling_client(connection, model_path=saved.path, **options)
    if saved.sampling_session_id is None:
        raise ValidationError(
            "save_weights_for_sampler: the result has neither path nor sampling_session_id",
            category=Category.SERVER,
        )
    return AsyncSamplingClient(connection, saved.sampling_session_id, **options)


async def _base_model(connection: Connection, sampling_session_id: str) -> str:
    path = f"/api/v1/samplers/{quote(sampling_session_id, safe='')}"
    call = Call("GET", path, pool="session")
    reply = await connection.persistence.run(lambda: connection.transport.send(call))
    return decode(Sampler, reply.json()).base_model
