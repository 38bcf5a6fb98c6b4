"""The same script, seed and plan leave the same journal, byte for byte."""

import asyncio
from importlib import resources

from tests.server.faults.training_client import TOKENS, TrainingClient, World
from tinker_mock.server.journal.exports import cassette, har, json_lines
from tinker_mock.server.journal.query import Query

FLAKY = (resources.files("tinker_mock.server.scenarios") / "flaky-network.yaml").read_text()
SLOW = "\nqueue:\n  completion: [{latency: heavy}]\n"
PLAN = {"asample": ["return-503", "stall-2s", "duplicate"], "retrieve_future": "try-again-x2"}


async def lived(seed: int) -> list[bytes]:
    world = World(FLAKY + SLOW, seed)
    plan = world.control.plans.create(PLAN)
    async with world.client("tml-one", **{"X-Tinker-Mock-Plan": plan.id}) as http:
        client = TrainingClient(world, http)
        model_id = await client.start()
        for _ in range(4):
            await client.step()
        body = {
            "session_id": model_id.split(":")[0],
            "sampling_session_seq_id": 0,
            "base_model": "Qwen/Qwen3-8B",
        }
        answer = await client.post("/create_sampling_session", body)
        sampler = answer.json()["sampling_session_id"]
        prompt = {"chunks": [{"type": "encoded_text", "tokens": TOKENS}]}
        for seq_id in range(3):
            params = {"max_tokens": 5, "temperature": 1.0}
            body = {"sampling_session_id": sampler, "seq_id": seq_id, "prompt": prompt}
            future = (await client.post("/asample", {**body, "sampling_params": params})).json()
            await client.result("asample", seq_id, future)
    assert client.failures == []
    assert plan.account()["completed"]
    entries = world.control.journal.select(Query())
    world.close()
    return [json_lines(entries), har(entries), cassette(entries)]


def test_two_runs_leave_the_same_bytes() -> None:
    first, second = asyncio.run(lived(7)), asyncio.run(lived(7))
    assert first == second
    assert b'"effects":"' in first[0]


def test_another_seed_is_another_story() -> None:
    assert asyncio.run(lived(8))[0] != asyncio.run(lived(7))[0]
