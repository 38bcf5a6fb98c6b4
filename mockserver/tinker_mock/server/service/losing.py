"""Losing a model on purpose, so that clients can rehearse what they do then.

`weights`: the run is corrupted, its operations fail, its checkpoints stay. `model`: the whole run
is unknown from then on; checkpoints stay as well.
"""

from typing import Literal

from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import Outcome, Promise, model_lane
from tinker_mock.server.state.records import TrainingRun

Loss = Literal["weights", "model"]


def corrupted(run: TrainingRun) -> str:
    """What is said of a model whose weights were lost."""
    return (
        f"model_id: the weights of training run {run.id!r} were lost, it cannot go on; "
        "create a model from its last checkpoint"
    )


def lose(backend: Backend, run: TrainingRun, what: Loss) -> None:
    """Lose it now. Work that is under way ends, work that waits fails."""
    run.trainer, run.loaded, run.kept, run.replay = None, False, None, []
    run.corrupted, run.lost = True, what == "model"
    if run.lost:
        failed = Outcome("failed", error=corrupted(run), category="server")
        for promise in backend.promises.open_in(model_lane(run.id)):
            backend.promises.fail(promise, failed)


def lose_at(run: TrainingRun, seq_id: int, what: Loss) -> None:
    """Lose it when the turn of that number comes."""
    run.losses = {**run.losses, str(seq_id): what}


def strike(backend: Backend, promise: Promise) -> None:
    """Before the work of a promise: lose its model, if that is to happen now.

    Raises OperationFailed.
    """
    run = backend.state.runs.get(promise.model_id)
    what = run.losses.get(str(promise.seq_id)) if run is not None else None
    if run is not None and what is not None:
        lose(backend, run, "model" if what == "model" else "weights")
        raise OperationFailed(corrupted(run), "server")
