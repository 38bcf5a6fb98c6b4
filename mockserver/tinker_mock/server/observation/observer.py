"""Takes note of operations as they end: figures and references, nothing that is rendered."""

import asyncio
from typing import TYPE_CHECKING, Any

from tinker_mock.server.clock import Clock
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.observation.curves import Curves
from tinker_mock.server.observation.samples import RecentSamples
from tinker_mock.server.state.promise import LARGE, Promise
from tinker_mock.server.state.store import Store

if TYPE_CHECKING:
    from tinker_mock.server.observation import batch_figures
else:
    batch_figures = LazyModule("tinker_mock.server.observation.batch_figures")

DEFAULT_RATE = 1e-4
"""The contract's default."""
IN_LINE = 20_000
"""Positions up to which a batch's figures are cheaper made than handed to a thread."""


class Observer:
    """What the inspector shows of the work: `curves` and `samples`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.curves = Curves()
        self.samples = RecentSamples()
        self._store = store
        self._clock = clock

    async def note(self, promise: Promise, result: Any) -> None:
        """An operation gave this result; its payload is still there."""
        if promise.operation == "forward_backward" and not promise.payload.get("forward_only"):
            await self._batch(promise, result)
        elif promise.operation == "optim_step":
            self._step(promise, result)
        elif promise.operation == "asample":
            self.samples.add(
                promise.request_id,
                self._clock.now(),
                promise.base_model,
                promise.model_id,
                promise.payload,
                result.sequences,
            )

    def forget(self) -> None:
        """As after a fresh start."""
        self.curves.forget()
        self.samples.forget()

    def _known(self, model_id: str) -> None:
        """When a curve begins, those of models that are not known any longer end."""
        if model_id not in self.curves.points:
            self.curves.keep_only(self._store.current.runs)

    async def _batch(self, promise: Promise, result: Any) -> None:
        given = promise.payload["forward_backward_input"]
        positions = sum(output["logprobs"].size for output in result.outputs)
        if positions > IN_LINE or promise.weight > LARGE:
            figures = await asyncio.to_thread(batch_figures.batch_figures, given, result.outputs)
        else:
            figures = batch_figures.batch_figures(given, result.outputs)
        self._known(promise.model_id)
        self.curves.batch(promise.model_id, figures, dict(result.metrics))

    def _step(self, promise: Promise, result: Any) -> None:
        run = self._store.current.runs.get(promise.model_id)
        if run is None:
            return
        body = promise.payload
        params = body.get("optimizer_params") or body.get("adam_params") or {}
        values = {"learning rate": float(params.get("learning_rate", DEFAULT_RATE))}
        values |= {name: float(value) for name, value in (result.get("metrics") or {}).items()}
        self._known(promise.model_id)
        self.curves.step(promise.model_id, run.steps, self._clock.now(), values)
