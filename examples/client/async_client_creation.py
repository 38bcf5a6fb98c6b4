"""Clients made side by side: as many requests under way as there are clients."""

import asyncio

from tinker_mock.client import AsyncServiceClient

MODEL = "Qwen/Qwen3-8B"


async def main():
    async with AsyncServiceClient() as service:
        made = await asyncio.gather(
            service.create_lora_training_client(MODEL, rank=8),
            *(service.create_sampling_client(base_model=MODEL) for _ in range(4)),
        )
        training, *samplers = made
        return len({training.model_id, *(one.sampling_session_id for one in samplers)})


print("clients:", asyncio.run(main()))
