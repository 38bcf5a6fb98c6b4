"""A call of your own, tried again as the client's are; what it raises is reported."""

import asyncio

from tinker_mock.client import ApiStatusError, AsyncServiceClient, RetryConfig, RetryHandler


async def main():
    async with AsyncServiceClient(telemetry_enabled=True) as service:
        await service.create_sampling_client(base_model="Qwen/Qwen3-8B")
        tries = []

        async def flaky():
            tries.append(1)
            if len(tries) < 3:
                raise ApiStatusError("synthetic", status=500)
            return f"ok after {len(tries)}"

        handler = RetryHandler(RetryConfig(max_retries=2, base_delay=0.01, jitter=0.0))
        async with service.telemetry_reporter().capture_exceptions():
            return await handler.run(flaky)


print(asyncio.run(main()))
