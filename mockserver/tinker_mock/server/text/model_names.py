"""What the `model` of a text request may be: a base model, a sampler checkpoint, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.errors import BadRequest, NotFound
from tinker_mock.server.service import checkpoints, offer
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Checkpoint, Tenant
from tinker_mock.server.text.error_shapes import NOT_ON_OFFER

if TYPE_CHECKING:
    from tinker_mock.server.engine import Weights

CHECKPOINT = "tinker://"
BOTH = ";"
"""Between base model and checkpoint: `Qwen/Qwen3-8B:peft:131072;tinker://…`."""


@dataclass(frozen=True)
class NamedModel:
    """What a name stands for; without a checkpoint, the base model's own weights."""

    catalog: CatalogModel
    base_name: str
    checkpoint: Checkpoint | None = None

    @property
    def weights(self) -> Weights | None:
        """The adapter of the checkpoint."""
        return self.checkpoint.weights if self.checkpoint else None


def named_model(backend: Backend, tenant: Tenant, name: str) -> NamedModel:
    """The base model and checkpoint of a request's `model`.

    Raises NotFound (with `wire_code` model_not_found) for what is not there, Forbidden for what is
    private, BadRequest for what cannot be sampled so.
    """
    base_name, both, path = name.rpartition(BOTH)
    if both or path.startswith(CHECKPOINT):
        if both:
            _offered(backend, base_name)
        source = _readable(backend, tenant, path)
        row = offer.row_for(backend, source, base_name or None, "/model")
        return NamedModel(row, row.name, source)
    return NamedModel(_offered(backend, name), name)


def _readable(backend: Backend, tenant: Tenant, path: str) -> Checkpoint:
    try:
        return checkpoints.readable(backend, tenant, path, "/model")
    except NotFound as error:
        raise _not_found(error) from error


def _offered(backend: Backend, name: str) -> CatalogModel:
    try:
        return offer.sampleable(backend, name, "/model")
    except BadRequest as error:
        raise _not_found(error, NOT_ON_OFFER) from error


def _not_found(error: BadRequest | NotFound, requirement: str = "") -> NotFound:
    return NotFound(
        error.message,
        pointer="/model",
        rule=error.rule,
        fix=error.fix,
        requirement=requirement,
        details={"wire_code": "model_not_found"},
    )
