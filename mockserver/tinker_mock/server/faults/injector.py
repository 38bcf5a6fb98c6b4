"""The faults stage of the pipeline: decides what an exchange meets, and carries it out.

An exchange meets the effects of its own header first, else the next step of its plan, else the
first rule of the scenario that applies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinker_mock.server.clock import Clock, skew
from tinker_mock.server.effects import Effect, EffectError, Step, parse_steps, words
from tinker_mock.server.errors import GoingDown, Unprocessable
from tinker_mock.server.faults.connection import cut
from tinker_mock.server.faults.delivery import deliver
from tinker_mock.server.faults.plans import PLAN_HEADER, Plans
from tinker_mock.server.faults.promise_effects import PROMISE_EFFECTS
from tinker_mock.server.faults.subjects import identity, subject_of
from tinker_mock.server.queues.rates import retry_headers
from tinker_mock.server.wire.exchange import Answer, Exchange, Send

if TYPE_CHECKING:
    from tinker_mock.server.scenarios.scenario import Scenario

EFFECT_HEADER = "x-tinker-mock-effect"
STEP = "_step"
FRAMES = "_frames"
LARGE = 1024 * 1024  # bytes of a stream that the journal keeps


@dataclass
class HangUp(Answer):
    """No answer at all: the connection is closed (with a TCP reset if asked)."""

    status: int = 0
    reset: bool = field(default=False)


class FaultInjector:
    """Implements the pipeline's `Faults`."""

    def __init__(self, plans: Plans, clock: Clock, seed: int, *, overrides: bool = True) -> None:
        self.plans = plans
        self.clock = clock
        self.seed = seed
        self.overrides = overrides  # whether requests may bring their own effects
        self.scenario: Scenario | None = None

    async def before(self, exchange: Exchange) -> Answer | None:
        step = self._choose(exchange)
        if step is None:
            return None
        exchange.notes[STEP] = step
        exchange.notes["effects"] = words(step)
        for effect in step:
            act = BEFORE.get(effect.kind)
            answer = await act(self, exchange, effect) if act is not None else None
            if answer is not None:
                exchange.notes["injected"] = True
                return answer
        return None

    def deliveries(self, exchange: Exchange) -> int:
        """How often the request is handed to the service."""
        step: Step = exchange.notes.get(STEP, ())
        return 2 if any(effect.kind == "duplicate" for effect in step) else 1

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        step: Step = exchange.notes.get(STEP, ())
        skew.set(0.0)  # in process the next request runs in the same context
        if answer.stream is not None:
            frames: list[tuple[float, bytes]] = []
            exchange.notes[FRAMES] = frames
            answer.stream = _remembered(answer.stream, frames, self.clock)
        if isinstance(answer, HangUp):
            cut(reset=answer.reset)
            return
        mask = next((effect for effect in step if effect.kind == "mask"), None)
        if mask is not None:
            exchange.notes["masked"] = answer.status
            exchange.answer = answer = _refusal(mask)
        await deliver(answer, step, send, self.clock, f"{self.seed} {identity(exchange)}")

    def _choose(self, exchange: Exchange) -> Step | None:
        if exchange.operation is None:
            return None
        operation = exchange.operation.id
        if self.overrides:
            if EFFECT_HEADER in exchange.headers:
                return _from_header(exchange.headers[EFFECT_HEADER])
            if PLAN_HEADER in exchange.headers:
                step = self.plans.get(exchange.headers[PLAN_HEADER]).take(operation)
                if step is not None:
                    return step
        if self.scenario is None or not self.scenario.rules:
            return None
        subject = subject_of(exchange)
        steps = (rule.step_for(subject, self.seed) for rule in self.scenario.rules)
        return next((step for step in steps if step is not None), None)


async def _remembered(
    stream: AsyncIterator[bytes], frames: list[tuple[float, bytes]], clock: Clock
) -> AsyncIterator[bytes]:
    """The stream, with its chunks and when they came kept for the journal."""
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size <= LARGE:
            frames.append((clock.now(), chunk))
        yield chunk


def _from_header(text: str) -> Step:
    try:
        return parse_steps(text)[0]
    except EffectError as error:
        raise Unprocessable(
            f"X-Tinker-Mock-Effect: {error}",
            pointer="header:X-Tinker-Mock-Effect",
            rule="the header carries one effect, or several joined with +",
            fix="see mockserver/tinker_mock/server/scenarios/README.md",
        ) from None


def _refusal(effect: Effect) -> Answer:
    headers = dict(effect.headers)
    if effect.seconds:
        headers |= retry_headers(effect.seconds)
    if effect.variant == "-empty":
        return Answer(effect.status, content=b"", headers=headers)
    body: Any = effect.body
    if body is None:
        told = {"code": "fault", "category": "server", "effect": effect.word}
        body = {"detail": f"fault injected by the mock: {effect.word}", "error": told}
    return Answer(effect.status, body, headers=headers)


async def _stall(injector: FaultInjector, exchange: Exchange, effect: Effect) -> None:
    waiting = asyncio.ensure_future(injector.clock.sleep(effect.seconds))
    exchange.simulator.parked.add(waiting)
    try:
        await asyncio.wait({waiting})
    finally:
        exchange.simulator.parked.discard(waiting)
    if waiting.cancelled():
        raise GoingDown("the server is shutting down", fix="repeat the request")


async def _return(injector: FaultInjector, exchange: Exchange, effect: Effect) -> Answer:
    return _refusal(effect)


async def _hang_up(injector: FaultInjector, exchange: Exchange, effect: Effect) -> Answer:
    return HangUp(reset=effect.kind == "reset")


async def _skew(injector: FaultInjector, exchange: Exchange, effect: Effect) -> None:
    skew.set(effect.seconds)


async def _promise(injector: FaultInjector, exchange: Exchange, effect: Effect) -> Answer | None:
    return await PROMISE_EFFECTS[effect.kind](exchange, effect)


Act = Callable[[FaultInjector, Exchange, Effect], Awaitable[Answer | None]]
BEFORE: dict[str, Act] = {
    "stall": _stall,
    "return": _return,
    "drop": _hang_up,
    "reset": _hang_up,
    "skew": _skew,
    **dict.fromkeys(PROMISE_EFFECTS, _promise),
}
