"""Plans: scripted effects for one client, and their account."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.wire.exchange import Answer, Exchange


async def list_plans(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"plans": [plan.account() for plan in control.plans.plans.values()]}


async def create_plan(control: MockControl, exchange: Exchange) -> Answer:
    return Answer(201, control.plans.create(exchange.body["effects"]).account())


async def get_plan(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return control.plans.get(exchange.path_params["plan_id"]).account()


async def delete_plan(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return control.plans.delete(exchange.path_params["plan_id"]).account()
