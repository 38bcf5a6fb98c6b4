"""Named copies of the state: in memory, or where the state lasts, and then they do as well."""

import asyncio
from typing import Protocol

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.store import Keeper, State


class Shelf(Protocol):
    """Where copies are."""

    async def names(self) -> dict[str, float]:
        """The copies, and the Unix time of each, oldest first."""

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
        self._taken: dict[str, float] = {}
        self._states: dict[str, State] = {}

    async def names(self) -> dict[str, float]:
        return self._taken

    async def take(self, name: str) -> None:
        self._states[name] = self._copied(self.backend.state)
        self._taken[name] = self.backend.clock.now()

    async def restore(self, name: str) -> None:
        self.backend.store.replace(self._copied(self._states[name]))

    async def forget(self, name: str) -> None:
        del self._states[name], self._taken[name]

    def _copied(self, state: State) -> State:
        return state.clone(list(self.backend.bases.values()))


class LastingShelf:
    """Copies of the database, which several servers may have."""

    def __init__(self, backend: Backend, keeper: Keeper) -> None:
        self.backend = backend
        self.keeper = keeper

    async def names(self) -> dict[str, float]:
        return await asyncio.to_thread(self.keeper.copies)

    async def take(self, name: str) -> None:
        await self.keeper.copy(name)

    async def restore(self, name: str) -> None:
        self.backend.store.current = await self.keeper.become(name)

    async def forget(self, name: str) -> None:
        await self.keeper.forget(name)


def shelf_of(backend: Backend) -> Shelf:
    """Where this mock's copies go."""
    keeper = backend.store.keeper
    return MemoryShelf(backend) if keeper is None else LastingShelf(backend, keeper)
