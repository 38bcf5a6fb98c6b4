"""Work of the operations that make and drop the trainers of runs."""

from typing import Any

from tinker_mock.server.engine import Trainer
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import prepared
from tinker_mock.server.service.losing import corrupted
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import TrainingRun


async def make_trainer(backend: Backend, run: TrainingRun) -> Trainer:
    """The engine's trainer for a run."""
    base = await prepared(backend, run.base_model)

    def build() -> Trainer:
        return Trainer(
            base,
            run.rank,
            run.seed,
            train_attn=run.train_attn,
            train_mlp=run.train_mlp,
            train_unembed=run.train_unembed,
            optimizer=run.optimizer_config,
        )

    return await backend.compute(build)


def trainer_of(run: TrainingRun) -> Trainer:
    """The live trainer of a run; raises OperationFailed once it is unloaded."""
    if run.corrupted:
        raise OperationFailed(corrupted(run), "server")
    if run.trainer is None:
        raise OperationFailed(
            f"model_id: training run {run.id!r} has no weights in memory; it was unloaded or "
            "its creation failed: create a model and load a checkpoint"
        )
    return run.trainer


async def create_model(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of create_model: make the trainer."""
    run = backend.state.runs[promise.model_id]
    run.trainer = await make_trainer(backend, run)
    return {"model_id": run.id, "type": "create_model"}


async def unload_model(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of unload_model: drop the trainer; saved checkpoints stay."""
    run = backend.state.runs[promise.model_id]
    trainer_of(run)
    run.trainer = None
    return {"model_id": run.id, "type": "unload_model"}
