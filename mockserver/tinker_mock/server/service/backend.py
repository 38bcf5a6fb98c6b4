"""What services work with. They know neither HTTP nor who put these parts together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.clock import Clock
from tinker_mock.server.ids import IdSource
from tinker_mock.server.promises import CompletionPolicy, PromiseBook
from tinker_mock.server.quirks import ActiveQuirks
from tinker_mock.server.service.authentication import Authenticator
from tinker_mock.server.service.batches import Batcher
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.settings import Limits, Settings
from tinker_mock.server.signer import Signer
from tinker_mock.server.state.store import State, Store

if TYPE_CHECKING:
    from tinker_mock.server.engine import BaseModel
    from tinker_mock.server.scripts import Scripts


@dataclass(frozen=True)
class Backend:
    """The parts behind the operations of one mock."""

    settings: Settings
    store: Store
    clock: Clock
    ids: IdSource
    signer: Signer
    catalog: Catalog
    authenticator: Authenticator
    promises: PromiseBook
    compute: Compute
    batches: Batcher
    quirks: ActiveQuirks
    scripts: Scripts
    bases: dict[str, BaseModel] = field(default_factory=dict)
    """The engine's base models that were asked for, by name; see `service/bases.py`."""
    preparing: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """Of these, the ones that are being made."""
    packing: dict[str, asyncio.Event] = field(default_factory=dict)
    """Runs whose weights are being packed (`service/packing.py`), and what tells when they are."""

    @property
    def state(self) -> State:
        """The records as they are now."""
        return self.store.current

    @property
    def policy(self) -> CompletionPolicy:
        """When accepted work runs and shows."""
        return self.promises.policy

    @property
    def limits(self) -> Limits:
        """How long things last under the scenario that is on."""
        return self.promises.policy.limits
