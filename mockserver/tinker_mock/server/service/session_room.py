"""Room in a session that goes on for ever: models, samplers and losses that are over give way.

A training loop opens a sampler a step; after a hundred thousand of them nobody asks for the first.
"""

from tinker_mock.server.errors import LimitReached
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import model_lane
from tinker_mock.server.state.records import Session

MOST_LOSSES = 1000
"""Custom losses of a session that are kept; the latest."""
ROOM = 0.1
"""The part that is freed at once."""


def admit_model(backend: Backend, session: Session) -> None:
    """Make room for one more model. Raises LimitReached when none of the session's is over:
    unloaded, without checkpoints, and with nothing to do."""
    state, most = backend.state, backend.settings.max_models
    if len(session.run_ids) < most:
        return
    owning = {one.run_id for one in state.checkpoints.values()}
    over = [key for key in session.run_ids if key not in owning and _unloaded(backend, key)]
    if not over:
        raise _full("models", most, "unload models that are not used")
    for key in over[: _share(most)]:
        _forget_lane(backend, model_lane(key))
        state.runs.pop(key)
        session.run_ids.remove(key)
    session.touch()


def admit_sampler(backend: Backend, session: Session) -> None:
    """Make room for one more sampler. Raises LimitReached when all of the session's are at work."""
    state, most = backend.state, backend.settings.max_models
    if len(session.sampler_ids) < most:
        return
    busy = {one.model_id for one in state.promises.values() if one.open}
    idle = [key for key in session.sampler_ids if key not in busy]
    if not idle:
        raise _full("samplers", most, "wait until samples are done")
    for key in idle[: _share(most)]:
        for lane_id in [one for one in state.lanes if one.startswith(f"sampling:{key}:")]:
            _forget_lane(backend, lane_id)
        state.samplers.pop(key)
        session.sampler_ids.remove(key)
    session.touch()


def admit_loss(session: Session) -> None:
    """Make room for one more custom loss."""
    while len(session.custom_losses) >= MOST_LOSSES:
        del session.custom_losses[next(iter(session.custom_losses))]


def _unloaded(backend: Backend, run_id: str) -> bool:
    run = backend.state.runs.get(run_id)
    if run is None:
        return True
    at_work = backend.promises.open_in(model_lane(run_id))
    return not (run.loaded or run.trainer is not None or at_work)


def _forget_lane(backend: Backend, lane_id: str) -> None:
    """A lane that is at rest, and the results in it."""
    known, lane = backend.state.promises, backend.state.lanes.get(lane_id)
    if lane is None:
        return
    for request_id in {*lane.completions.values(), *lane.submitted.values()}:
        if request_id in known:
            backend.promises.retention.forget(known[request_id])
    del backend.state.lanes[lane_id]


def _share(most: int) -> int:
    return max(1, int(most * ROOM))


def _full(what: str, most: int, fix: str) -> LimitReached:
    return LimitReached(
        f"{what}: this session holds {most} of them, and all are in use",
        rule=f"at most {most}",
        fix=f"{fix}, or start the server with a higher --max-models",
    )
