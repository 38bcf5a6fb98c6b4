"""What the `model` of a text request may be: a base model, a sampler checkpoint, or both."""

from dataclasses import dataclass

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.catalog.catalog import SUFFIX
from tinker_mock.server.engine import Weights
from tinker_mock.server.errors import BadRequest, NotFound
from tinker_mock.server.service import checkpoints
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Checkpoint, Tenant

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

    Raises NotFound (with `wire_code` model_not_found) for what is not there, BadRequest for what
    cannot be sampled so.
    """
    base_name, both, path = name.rpartition(BOTH)
    if both or path.startswith(CHECKPOINT):
        source = _sampled(backend, tenant, path)
        catalog = _offered(backend, base_name or source.base_model)
        if both:
            _check_base(source, base_name, path)
        return NamedModel(catalog, base_name or source.base_model, source)
    return NamedModel(_offered(backend, name), name)


def _sampled(backend: Backend, tenant: Tenant, path: str) -> Checkpoint:
    try:
        source = checkpoints.readable(backend, tenant, path, "/model")
    except NotFound as error:
        raise _not_found(error) from error
    if source.kind != "sampler":
        raise BadRequest(
            f"model: {path} holds training state and cannot be sampled",
            pointer="/model",
            rule="only sampler checkpoints can be sampled",
            fix="save it with save_weights_for_sampler and use that path",
            requirement="text/models/sampler-path",
        )
    return source


def _offered(backend: Backend, name: str) -> CatalogModel:
    try:
        return backend.catalog.get(name, "/model")
    except BadRequest as error:
        raise _not_found(error) from error


def _check_base(source: Checkpoint, base_name: str, path: str) -> None:
    if SUFFIX.sub("", base_name) == SUFFIX.sub("", source.base_model):
        return
    raise BadRequest(
        f"model: {path} was trained on {source.base_model}, not {base_name}",
        pointer="/model",
        rule="the base model is the one the checkpoint was trained on, with any context length",
        fix=f"name {source.base_model}, or the checkpoint alone",
        requirement="text/models/base-and-checkpoint",
    )


def _not_found(error: BadRequest | NotFound) -> NotFound:
    return NotFound(
        error.message,
        pointer="/model",
        rule=error.rule,
        fix=error.fix,
        details={"wire_code": "model_not_found"},
    )
