"""Decides what goes wrong with an exchange, and carries it out.

An exchange meets the effects of its own header first, else the next step of its plan, else the
first rule of the scenario that applies.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.access import Access
from tinker_mock.server.clock import skew
from tinker_mock.server.effects import Effect, EffectError, Step, parse_steps
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.faults.connection import cut
from tinker_mock.server.faults.delivery import deliver
from tinker_mock.server.faults.model_effects import lose_model
from tinker_mock.server.faults.plans import PLAN_HEADER, Plans
from tinker_mock.server.faults.promise_effects import PROMISE_EFFECTS
from tinker_mock.server.faults.rules import Rule
from tinker_mock.server.faults.subjects import identity, subject_of
from tinker_mock.server.queues.rates import retry_headers
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.wire.connection import ParkedWork
from tinker_mock.server.wire.exchange import Answer, Exchange, Send

EFFECT_HEADER = "x-tinker-mock-effect"


@dataclass
class HangUp(Answer):
    """No answer at all: the connection is closed (with a TCP reset if asked)."""

    status: int = 0
    reset: bool = field(default=False)


class FaultInjector:
    """The faults of one mock. `rules` are those of the scenario that is on."""

    def __init__(
        self,
        backend: Backend,
        access: Access,
        plans: Plans,
        rules: list[Rule],
        parked: ParkedWork,
    ) -> None:
        self.backend = backend
        self.access = access
        self.plans = plans
        self.rules = rules
        self.parked = parked
        self.clock = backend.clock
        self.seed = backend.settings.seed
        self.overrides = backend.settings.control  # whether requests may bring their own effects

    async def before(self, exchange: Exchange) -> Answer | None:
        """Choose the effects; those that come before the request is handled may answer it."""
        step = self._choose(exchange)
        if step is None:
            return None
        exchange.effects = step
        for effect in step:
            act = BEFORE.get(effect.kind)
            answer = await act(self, exchange, effect) if act is not None else None
            if answer is not None:
                exchange.injected = True
                return answer
        return None

    def deliveries(self, exchange: Exchange) -> int:
        """How often the request is handed to the service."""
        return 2 if exchange.effects and exchange.effect("duplicate") is not None else 1

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        """Put the answer on the wire, or what is left of it."""
        skew.set(0.0)  # in process the next request runs in the same context
        if isinstance(answer, HangUp):
            cut(reset=answer.reset)
            return
        if not exchange.effects:
            await answer.send(send)
            return
        mask = exchange.effect("mask")
        if mask is not None:
            exchange.masked = answer.status
            exchange.answer = answer = _refusal(mask)
        luck = f"{self.seed} {identity(exchange)}"
        await deliver(answer, exchange.effects, send, self.clock, luck)

    def _choose(self, exchange: Exchange) -> Step | None:
        if exchange.operation is None:
            return None
        operation = exchange.operation.id
        if self.overrides:
            if EFFECT_HEADER in exchange.headers:
                self.access.check(exchange.headers)
                return _from_header(exchange.headers[EFFECT_HEADER])
            if PLAN_HEADER in exchange.headers:
                self.access.check(exchange.headers)
                step = self.plans.get(exchange.headers[PLAN_HEADER]).take(operation)
                if step is not None:
                    return step
        if not self.rules:
            return None
        subject = subject_of(self.backend, exchange)
        steps = (rule.step_for(subject, self.seed) for rule in self.rules)
        return next((step for step in steps if step is not None), None)


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


WORDS = {504: "Timeout while publishing request"}
"""The service's own words for a status (cookbook, skills/debug)."""


def _refusal(effect: Effect) -> Answer:
    headers = dict(effect.headers)
    if effect.seconds:
        headers |= retry_headers(effect.seconds)
    if effect.variant == "-empty":
        return Answer(effect.status, content=b"", headers=headers)
    body: Any = effect.body
    if body is None:
        error = {"code": "fault", "category": "server", "effect": effect.word}
        injected = f"fault injected by the mock: {effect.word}"
        body = {"detail": WORDS.get(effect.status, injected), "error": error}
    return Answer(effect.status, body, headers=headers)


async def _stall(injector: FaultInjector, exchange: Exchange, effect: Effect) -> None:
    await injector.parked.finish(injector.clock.sleep(effect.seconds))


async def _return(injector: FaultInjector, exchange: Exchange, effect: Effect) -> Answer:
    return _refusal(effect)


async def _hang_up(injector: FaultInjector, exchange: Exchange, effect: Effect) -> Answer:
    return HangUp(reset=effect.kind == "reset")


async def _skew(injector: FaultInjector, exchange: Exchange, effect: Effect) -> None:
    skew.set(effect.seconds)


async def _promise(injector: FaultInjector, exchange: Exchange, effect: Effect) -> Answer | None:
    return await PROMISE_EFFECTS[effect.kind](injector.backend, exchange, effect)


async def _lose_model(injector: FaultInjector, exchange: Exchange, effect: Effect) -> None:
    await lose_model(injector.backend, exchange, effect)


Act = Callable[[FaultInjector, Exchange, Effect], Awaitable[Answer | None]]
BEFORE: dict[str, Act] = {
    "stall": _stall,
    "return": _return,
    "drop": _hang_up,
    "reset": _hang_up,
    "skew": _skew,
    "lose-model": _lose_model,
    **dict.fromkeys(PROMISE_EFFECTS, _promise),
}
