"""Plans: scripted effects for one client, and their account."""

from __future__ import annotations

from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.wire.exchange import Answer


async def list_plans(call: Call) -> Answer:
    return done({"plans": [plan.account() for plan in call.director.plans.plans.values()]})


async def create_plan(call: Call) -> Answer:
    return done(call.director.plans.create(call.body["effects"]).account(), 201)


async def get_plan(call: Call) -> Answer:
    return done(call.director.plans.get(call.path["plan_id"]).account())


async def delete_plan(call: Call) -> Answer:
    return done(call.director.plans.delete(call.path["plan_id"]).account())


HANDLERS: dict[str, Handler] = {
    "list_plans": list_plans,
    "create_plan": create_plan,
    "get_plan": get_plan,
    "delete_plan": delete_plan,
}
