"""Plans: scripted effects per operation for one client, with an account of what was used.

A client is bound to its plan by the constant header ``X-Tinker-Mock-Plan`` (SDKs take
``default_headers``), so several scripted clients can share a server.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.effects import EffectError, Step, parse_steps, words
from tinker_mock.server.errors import LimitReached, NotFound, Unprocessable
from tinker_mock.server.ids import IdSource

PLAN_HEADER = "x-tinker-mock-plan"
MOST_PLANS = 10_000
"""Of these, completed ones give way to new ones."""


@dataclass
class Plan:
    """Steps still to come and steps taken, per operation, in order."""

    id: str
    steps: dict[str, deque[Step]]
    taken: dict[str, list[str]] = field(default_factory=dict)
    requests: int = 0

    def take(self, operation: str) -> Step | None:
        """The next step of an operation; None when the plan has nothing (more) for it."""
        self.requests += 1
        queue = self.steps.get(operation)
        if not queue:
            return None
        step = queue.popleft()
        self.taken.setdefault(operation, []).append(words(step))
        return step

    @property
    def completed(self) -> bool:
        """Nothing is left of it."""
        return not any(self.steps.values())

    def account(self) -> dict[str, Any]:
        """What was consumed, what is left, and whether all of it was used."""
        remaining = {op: [words(step) for step in queue] for op, queue in self.steps.items()}
        return {
            "id": self.id,
            "completed": self.completed,
            "requests": self.requests,
            "consumed": {op: list(self.taken.get(op, [])) for op in self.steps},
            "remaining": remaining,
        }


class Plans:
    """The plans of a server by id."""

    def __init__(self, ids: IdSource, operations: Iterable[str]) -> None:
        self.ids = ids
        self.operations = list(operations)
        self.plans: dict[str, Plan] = {}

    def create(self, effects: Mapping[str, Any]) -> Plan:
        """A plan from {operation: effects}. Raises Unprocessable naming the wrong entry, or
        LimitReached."""
        steps = {op: deque(self._steps(op, written)) for op, written in effects.items()}
        self._make_room()
        plan = Plan(self.ids.next("plan"), steps)
        self.plans[plan.id] = plan
        return plan

    def _make_room(self) -> None:
        if len(self.plans) < MOST_PLANS:
            return
        done = next((plan.id for plan in self.plans.values() if plan.completed), None)
        if done is None:
            raise LimitReached(
                f"plans: this server holds {MOST_PLANS} of them, and none is completed",
                rule=f"at most {MOST_PLANS}",
                fix="delete plans that are not used",
            )
        del self.plans[done]

    def _steps(self, operation: str, written: Any) -> list[Step]:
        pointer = f"/effects/{operation}"
        if operation not in self.operations:
            raise Unprocessable(
                f"effects: there is no operation {operation!r}",
                pointer=pointer,
                rule="keys of effects are operationIds",
                fix="see the operations of contracts/tinker",
            )
        try:
            steps = parse_steps(written)
        except EffectError as error:
            raise _wrong(operation, pointer, str(error)) from None
        for effect in (effect for step in steps for effect in step):
            allowed = effect.form.operations
            if allowed is not None and operation not in allowed:
                reason = f"{effect.word} acts on {', '.join(sorted(allowed))} only"
                raise _wrong(operation, pointer, reason)
        return steps

    def get(self, plan_id: str) -> Plan:
        plan = self.plans.get(plan_id)
        if plan is None:
            raise NotFound(
                f"plan: there is no plan {plan_id!r}",
                pointer="header:X-Tinker-Mock-Plan",
                rule="plans are created at POST /_mock/plans",
                fix="create the plan, then send its id in the X-Tinker-Mock-Plan header",
            )
        return plan

    def delete(self, plan_id: str) -> Plan:
        plan = self.get(plan_id)
        del self.plans[plan_id]
        return plan


def _wrong(operation: str, pointer: str, reason: str) -> Unprocessable:
    return Unprocessable(
        f"effects.{operation}: {reason}",
        pointer=pointer,
        rule="effects are words of the grammar, mappings with `return`, or lists of those",
        fix="see mockserver/tinker_mock/server/scenarios/README.md",
    )
