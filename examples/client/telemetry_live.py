"""What a server hears: the session's start, its requests, its end."""

import httpx

from tinker_mock.client import ServiceClient

with ServiceClient() as service:
    service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    mock = service.inner.config.base_url
entries = httpx.get(f"{mock}/_mock/journal", params={"operation": "send_telemetry"}).json()[
    "entries"
]
print("batches came:", len(entries) > 0, "all taken:", all(one["status"] == 200 for one in entries))
