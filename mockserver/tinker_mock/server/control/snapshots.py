"""Named copies of the state: in memory, or in the data directory, where they outlive the run."""

from typing import Protocol

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.store import Keeper, State


class Shelf(Protocol):
    """Where copies are. `taken`: their names, and the Unix time of each."""

    taken: dict[str, float]

    async def take(self, name: str) -> None:
        """Copy the state while no work runs."""

    async def restore(self, name: str) -> None:
        """The state is that of the copy, from now on."""

    async def forget(self, name: str) -> None:
        """Remove a copy."""


class MemoryShelf:
    """Copies that are as alive as the server."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.taken: dict[str, float] = {}
        self._states: dict[str, State] = {}

    async def take(self, name: str) -> None:
        self._states[name] = self._copied(self.backend.state)
        self.taken[name] = self.backend.clock.now()

    async def restore(self, name: str) -> None:
        self.backend.store.replace(self._copied(self._states[name]))

    async def forget(self, name: str) -> None:
        del self._states[name], self.taken[name]

    def _copied(self, state: State) -> State:
        return state.clone(list(self.backend.bases.values()))


class LastingShelf:
    """Copies of the database."""

    def __init__(self, backend: Backend, keeper: Keeper) -> None:
        self.backend = backend
        self.keeper = keeper
        self.taken = keeper.copies()

    async def take(self, name: str) -> None:
        await self.keeper.copy(name)
        self.taken[name] = self.backend.clock.now()

    async def restore(self, name: str) -> None:
        self.backend.store.current = await self.keeper.become(name)

    async def forget(self, name: str) -> None:
        await self.keeper.forget(name)
        del self.taken[name]


def shelf_of(backend: Backend) -> Shelf:
    """Where this mock's copies go."""
    keeper = backend.store.keeper
    return MemoryShelf(backend) if keeper is None else LastingShelf(backend, keeper)
