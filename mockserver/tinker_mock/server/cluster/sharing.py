"""The parts of a mock that shares its state with other servers."""

from __future__ import annotations

from tinker_mock.server.clock import Clock
from tinker_mock.server.cluster.answerer import Answerer, OwnersAnswerer, SharedAnswerer
from tinker_mock.server.cluster.cluster import Cluster
from tinker_mock.server.database.keeper import StateKeeper
from tinker_mock.server.database.shared_store import SharedStore, shared_secret, sharing
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.settings import Settings
from tinker_mock.server.signer import drawn_secret
from tinker_mock.server.state.store import Store


def shared_state(settings: Settings, clock: Clock) -> tuple[Store, bytes]:
    """The state of a store that servers share, and its secret. Raises ConfigurationError."""
    assert settings.store is not None
    if not settings.peer_address:
        raise ConfigurationError(
            "--store: other servers must reach this one; use tinker-mock serve"
        )
    place = sharing(settings.store, settings.seed, clock)
    keeper = StateKeeper(place, clock.now)
    store = Store(keeper)
    store.current = keeper.load()
    return store, shared_secret(place, drawn_secret())


def joined(backend: Backend) -> Cluster:
    """This mock among the servers of its store; `open` lets it take part."""
    keeper = backend.store.keeper
    assert isinstance(keeper, StateKeeper)
    assert isinstance(keeper.place, SharedStore)
    return Cluster(backend, keeper, keeper.place, backend.settings.peer_address)


def answerer_of_clients(local: Answerer, cluster: Cluster) -> SharedAnswerer:
    """Who answers clients."""
    return SharedAnswerer(local, cluster)


def answerer_of_servers(local: Answerer, cluster: Cluster) -> OwnersAnswerer:
    """Who answers other servers."""
    return OwnersAnswerer(local, cluster)
