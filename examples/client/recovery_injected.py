"""Recovery on a server that really loses a run: a mock is told to."""

import asyncio

import httpx

from tinker_mock.client import AsyncServiceClient, RecoveryPolicy, recover_runs


async def main():
    async with AsyncServiceClient() as service:
        training = await service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
        path = (await training.save_state("before")).path
        restored = []
        monitor = recover_runs(
            service,
            RecoveryPolicy(enabled=True),
            on_recovery=lambda old, new, source: restored.append((new, source)),
        )
        monitor.watch(training.model_id, training)
        lose = f"{service.config.base_url}/_mock/models/{training.model_id}/lose"
        async with httpx.AsyncClient() as control:
            (await control.post(lose, json={"what": "weights"})).raise_for_status()
        await monitor.check()
        ((new, source),) = restored
        again = (await new.save_state("after")).path
        print("from the last checkpoint:", source == path)
        print("training goes on:", again.endswith("/weights/after"))


asyncio.run(main())
