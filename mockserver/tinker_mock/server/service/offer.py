"""What the catalogue says may be done: which models train and sample, from which checkpoints."""

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.errors import BadRequest, NotFound
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Checkpoint

TRAINING_ONLY = "only `weights` checkpoints start or resume training"
SAMPLER_ONLY = "only `sampler_weights` checkpoints are sampled"


def offered(backend: Backend, name: str, pointer: str = "/base_model") -> CatalogModel:
    """The row of that name. Raises BadRequest for a retired or unknown one, NotFound for an
    unknown one with the quirk."""
    try:
        return backend.catalog.offered(name, pointer)
    except BadRequest as error:
        known = name in backend.catalog.models
        if known or Quirk.UNKNOWN_MODELS_NOT_FOUND not in backend.quirks:
            raise
        details = {**error.details, "wire_code": "model_not_found"}
        raise NotFound(
            error.message, error.pointer, error.rule, error.fix, error.requirement, details
        ) from error


def trainable(backend: Backend, name: str) -> CatalogModel:
    """The row to train an adapter on. Raises BadRequest for a retired or sampling-only one."""
    model = offered(backend, name)
    if not model.trainable:
        raise BadRequest(
            f"base_model: {model.name!r} cannot be trained",
            pointer="/base_model",
            rule="the model is trainable",
            fix="choose a model that get_server_capabilities lists as trainable",
            requirement="models/create/sampling-only",
        )
    return model


def sampleable(backend: Backend, name: str, pointer: str = "/base_model") -> CatalogModel:
    """The row to sample. Raises BadRequest for one that is retired or not for sampling."""
    model = offered(backend, name, pointer)
    if not model.sampleable:
        raise BadRequest(
            f"{pointer.strip('/')}: {model.name!r} cannot be sampled",
            pointer=pointer,
            rule="the model can be sampled",
            fix="choose a model that get_server_capabilities lists as sampleable",
        )
    return model


def row_for(
    backend: Backend, source: Checkpoint, named: str | None, pointer: str = "/base_model"
) -> CatalogModel:
    """The row whose weights and context a checkpoint is sampled with: the one that was named, or
    the one it was trained on.

    Raises BadRequest for a checkpoint that is not for sampling, and for a row of another base
    model or without adapters.
    """
    for_sampling(source)
    if named is None:
        return sampleable(backend, source.base_model, "/model_path")
    model = sampleable(backend, named, pointer)
    trained_on = backend.catalog.get(source.base_model)
    if model.base != trained_on.base:
        found, fix = f"was trained from {source.base_model}, not {named}", trained_on.name
    elif not model.trainable:
        found, fix = f"cannot be sampled on {named}, which takes no adapters", trained_on.name
    else:
        return model
    raise BadRequest(
        f"{pointer.strip('/')}: {source.path} {found}",
        pointer=pointer,
        rule="the checkpoint's own base model, or a variant of it that can be trained",
        fix=f"leave it out, or use {fix}",
        requirement="sampling/session/variants",
    )


def for_sampling(source: Checkpoint, pointer: str = "/model_path") -> Checkpoint:
    """The checkpoint, if it is one to sample from; raises BadRequest."""
    # Nothing says that external weights are not sampled; uploaded ones are good for nothing else.
    if source.kind != "training":
        return source
    raise BadRequest(
        f"{pointer.strip('/')}: {source.path} holds training state and cannot be sampled",
        pointer=pointer,
        rule=SAMPLER_ONLY,
        fix="save it with save_weights_for_sampler and use that path",
        requirement="sampling/session/sampler-path",
    )


def for_training(source: Checkpoint) -> Checkpoint:
    """The checkpoint, if it is one to train from; raises BadRequest."""
    if source.kind == "training":
        return source
    raise BadRequest(
        f"path: {source.path} is no training checkpoint and cannot be trained from",
        pointer="/path",
        rule=TRAINING_ONLY,
        fix="save the run with save_state and use that path",
        requirement="weights/load/training-path",
    )


def loadable(backend: Backend, source: Checkpoint, name: str) -> CatalogModel:
    """The row to load a checkpoint into: of the base model it was trained from. A retired one
    will do, since its checkpoints can still be exported. Raises BadRequest."""
    model = backend.catalog.get(name)
    trained_on = backend.catalog.get(source.base_model)
    if model.base == trained_on.base and model.trainable:
        return model
    raise BadRequest(
        f"base_model: {source.path} was trained from {source.base_model}, not {name}",
        pointer="/base_model",
        rule="the checkpoint's own base model, or a variant of it that can be trained",
        fix=f"leave it out, or use {trained_on.name}",
    )
