"""Forgetting what nobody can need any longer, so that memory is bounded by what is alive.

* A session that has ended, with its models, samplers and promises, is forgotten when `keep` is
  over, when many others have ended after it, or when newer sessions need its place; one with
  checkpoints stays as long as they do.
* Weights of a session that has ended go at once: nobody can ask for them.
* Accounts (usage, storage, audit, telemetry) are kept for `keep`.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from tinker_mock.server.clock import machine_seconds
from tinker_mock.server.errors import LimitReached
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.service import sessions
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import Lane
from tinker_mock.server.state.records import Session
from tinker_mock.server.state.tables import Table

if TYPE_CHECKING:
    from tinker_mock.server import memory
else:
    memory = LazyModule("tinker_mock.server.memory")

GIVE_BACK_EVERY = 1.0
"""Seconds of the machine's: weights that come and go leave gigabytes behind in a busy minute."""
MOST_COUNTERS = 10_000
"""Numbers of things asked for again that are remembered; the oldest are forgotten first."""
OWNED = ("sample", "unnumbered-request", "session")
"""Counters that mean nothing once their sampler, lane or tenant is gone."""
MOST_LINES = 10_000
"""Lines of an account that are kept at most."""
MORE_SESSIONS = 30
"""So many new ones are not waited for: a busy minute begins and ends hundreds."""
MOST_ENDED = 300
"""Sessions that have ended, without checkpoints, that are kept at most."""
ROOM = 0.1
"""The part of a full table that is freed at once."""


class Housekeeper:
    """Looks after one mock's state, once a minute and when there are many new sessions, and gives
    freed memory back every second while there are requests."""

    def __init__(self, every: float = 60.0) -> None:
        self.every = every
        self._next = self._free = 0.0
        self._many = MORE_SESSIONS

    def look(self, backend: Backend) -> None:
        """Tidy up if it is time."""
        now = backend.clock.now()
        many = len(backend.state.sessions) >= self._many
        if many or now >= self._next or now < self._next - self.every:
            self._next = now + self.every
            tidy(backend)
            self._many = len(backend.state.sessions) + MORE_SESSIONS
        moment = machine_seconds()
        if moment >= self._free:
            self._free = moment + GIVE_BACK_EVERY
            asyncio.get_running_loop().run_in_executor(None, memory.give_back)


def tidy(backend: Backend) -> None:
    """Forget everything whose time is over."""
    state, before = backend.state, backend.clock.now() - backend.settings.keep
    sessions.expire_silent(backend)
    _forget_sessions(backend, before)
    for table in (state.usage, state.storage, state.audit):
        _prune(table, before)
    for upload in list(state.uploads.values()):
        if upload.created_at < before:
            del state.uploads[upload.id]
    for key in list(state.telemetry)[: -backend.settings.max_sessions]:
        del state.telemetry[key]
    _prune_counters(backend)


def admit_tenant(backend: Backend) -> None:
    """Make room for one more tenant. Raises LimitReached when all that are known are in use."""
    state, most = backend.state, backend.settings.max_tenants
    if len(state.tenants) < most:
        return
    used = {one.tenant_id for one in state.sessions.values()}
    used |= {one.tenant_id for one in state.checkpoints.values()}
    idle = [key for key, one in state.tenants.items() if key not in used and not one.revoked]
    for key in idle[: max(1, int(most * ROOM))]:
        del state.tenants[key]
    if not idle:
        raise _full("API keys", most, "--max-tenants", "use a key this server knows")


def admit_session(backend: Backend) -> None:
    """Make room for one more session. Raises LimitReached when all that are known are open."""
    most = backend.settings.max_sessions
    if len(backend.state.sessions) < most:
        return
    sessions.expire_silent(backend)
    ended = sorted(_forgettable(backend), key=lambda session: session.ended_at or 0.0)
    _forget(backend, ended[: max(1, int(most * ROOM))])
    if not ended:
        raise _full("sessions", most, "--max-sessions", "finish sessions that are not used")


def _full(what: str, most: int, option: str, fix: str) -> LimitReached:
    return LimitReached(
        f"{what}: this server holds {most} of them, and all are in use",
        rule=f"at most {most}",
        fix=f"{fix}, or start the server with a higher {option}",
    )


def _forgettable(backend: Backend) -> list[Session]:
    """Sessions that have ended, whose work is done and that own no checkpoint."""
    state = backend.state
    owning = {one.session_id for one in state.checkpoints.values()}
    working = {one.session_id for one in state.promises.values() if one.open}
    found = []
    for session in state.sessions.values():
        if session.ended_at is None or session.id in working:
            continue
        _release(backend, session)
        if session.id not in owning:
            found.append(session)
    return found


def _release(backend: Backend, session: Session) -> None:
    """The weights of an ended session."""
    for run in (backend.state.runs.get(key) for key in session.run_ids):
        if run is not None and (run.trainer is not None or run.loaded):
            run.trainer, run.loaded, run.kept, run.replay = None, False, None, []
    for sampler in (backend.state.samplers.get(key) for key in session.sampler_ids):
        if sampler is not None and sampler.weights is not None:
            sampler.weights = None


def _forget_sessions(backend: Backend, before: float) -> None:
    """Those whose time is over, and the first of too many; lanes of the others that are empty."""
    ended = sorted(_forgettable(backend), key=lambda session: session.ended_at or 0.0)
    late = [session for session in ended if (session.ended_at or 0.0) < before]
    count = max(len(late), len(ended) - MOST_ENDED)
    _forget(backend, ended[:count])
    kept = {session.id for session in ended[count:]}
    for lane in list(backend.state.lanes.values()):
        if lane.empty and _session_of(lane) in kept:
            del backend.state.lanes[lane.id]


def _forget(backend: Backend, sessions: list[Session]) -> None:
    """Sessions and all that is under them."""
    state, gone = backend.state, {session.id for session in sessions}
    if not gone:
        return
    for promise in [one for one in state.promises.values() if one.session_id in gone]:
        backend.promises.retention.forget(promise)
    for lane in [one for one in state.lanes.values() if _session_of(one) in gone]:
        del state.lanes[lane.id]
    for table in (state.usage, state.storage):
        for key in [key for key, one in table.items() if one.session_id in gone]:
            del table[key]
    for session in sessions:
        for run_id in session.run_ids:
            state.runs.pop(run_id)
        for sampler_id in session.sampler_ids:
            state.samplers.pop(sampler_id)
        state.telemetry.pop(session.id)
        del state.sessions[session.id]


def _session_of(lane: Lane) -> str:
    """Its id: that of a lane's model or sampler begins with it."""
    return lane.id.partition(":")[2].partition(":")[0]


def _prune(table: Table[Any], before: float) -> None:
    """The lines of an account that are too old, or too many."""
    surplus = max(0, len(table) - MOST_LINES)
    for place, (key, line) in enumerate(list(table.items())):
        at = line.until if hasattr(line, "until") else line.at
        if place < surplus or (at is not None and at < before):
            del table[key]


def _prune_counters(backend: Backend) -> None:
    """Counters of what is gone, and the oldest of what text was asked for again."""
    counters, state = backend.state.counters, backend.state
    if len(counters) <= MOST_COUNTERS:
        return
    alive = state.lanes.keys() | state.samplers.keys() | state.tenants.keys()
    for key in list(counters)[: len(counters) - MOST_COUNTERS // 2]:
        kind, _, rest = key.partition("\x1f")
        owner = rest.partition("\x1f")[0]
        if kind == "text" or (kind in OWNED and owner not in alive):
            counters.forget(key)
