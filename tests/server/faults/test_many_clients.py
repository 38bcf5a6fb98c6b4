"""200 clients train under flaky-network for a minute: nothing is lost and nothing runs twice."""

import asyncio
from collections import Counter
from importlib import resources

from tests.server.faults.training_client import TrainingClient, World
from tinker_mock.server.journal.query import Query

CLIENTS, MINUTE = 200, 60.0
FLAKY = (resources.files("tinker_mock.server.scenarios") / "flaky-network.yaml").read_text()
SLOW = """
queue:
  completion: [{operation: ["forward*", optim_step], after: 15s}]
"""


async def train_for_a_minute(world: World, number: int) -> tuple[TrainingClient, int]:
    async with world.client(f"tml-client-{number}") as http:
        client = TrainingClient(world, http)
        await client.start(seed=number)
        end, steps = world.clock.monotonic() + MINUTE, 0
        while world.clock.monotonic() < end:
            await client.step()
            steps += 1
    return client, steps


async def crowd() -> tuple[World, list[tuple[TrainingClient, int]]]:
    world = World(FLAKY + SLOW)
    work = [train_for_a_minute(world, number) for number in range(CLIENTS)]
    outcome = await asyncio.gather(*work)
    world.close()
    return world, outcome


def test_every_operation_is_answered_exactly_once() -> None:
    world, outcome = asyncio.run(crowd())
    state = world.app.state.mock.state
    entries = world.control.journal.select(Query())
    hit = Counter(entry.effects for entry in entries if entry.effects)
    assert set(hit) == {"drop", "reset", "return-502", "lose", "mask-504"}
    assert sum(client.retries for client, _ in outcome) == hit.total()

    for client, steps in outcome:
        operations = {("create_model", 0)} | {
            ("forward_backward" if seq % 2 else "optim_step", seq)
            for seq in range(1, 2 * steps + 1)
        }
        assert client.failures == []
        assert dict(client.answered) == dict.fromkeys(operations, 1)
        assert state.runs[client.model_id].steps == steps
        lane = state.lanes[f"model:{client.model_id}"]
        assert len(lane.completions) == len(set(lane.completions)) == 2 * steps + 1
    assert len(state.promises) == sum(2 * steps + 1 for _, steps in outcome)
    assert {promise.state for promise in state.promises.values()} == {"completed"}
