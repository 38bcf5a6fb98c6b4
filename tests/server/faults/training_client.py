"""A small client that behaves like an SDK: numbers its operations and repeats what got lost.

It shares the server's manual clock, so that waiting takes no time.
"""

from collections import Counter
from typing import Any

import httpx

from tinker_mock.server.app import create_app
from tinker_mock.server.settings import Settings

MODEL = "Qwen/Qwen3-8B"
TOKENS = [9707, 11, 1879, 0, 358, 1079, 264, 2613]


def datum(tokens: list[int]) -> dict[str, Any]:
    """A datum of the JSON wire form that asks for the next tokens."""
    size = len(tokens) - 1
    return {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": tokens[:-1]}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": tokens[1:], "dtype": "int64", "shape": [size]},
            "weights": {"data": [1.0] * size, "dtype": "float32", "shape": [size]},
        },
    }


class World:
    """The app in this process on a clock that jumps."""

    def __init__(self, scenario: str, seed: int = 0) -> None:
        self.app = create_app(Settings(clock="auto", seed=seed))
        self.control = self.app.state.mock.control
        self.control.use_text(scenario)
        self.clock = self.app.state.mock.clock
        self.clock.patience = 0.0

    def client(self, key: str, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://mock/api/v1",
            headers={"X-API-Key": key, **headers},
        )

    def close(self) -> None:
        self.app.state.mock.close()


class TrainingClient:
    """Trains one model. `answered` counts final results per (operation, seq_id)."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world = world
        self.http = http
        self.seq_id = 0
        self.answered: Counter[tuple[str, int]] = Counter()
        self.failures: list[str] = []
        self.retries = 0

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The first answer that is neither lost nor a server error; backs off in between."""
        delay = 0.5
        while True:
            try:
                answer = await self.http.post(path, json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                return answer
            self.retries += 1
            await self.world.clock.sleep(delay)
            delay = min(delay * 2, 8.0)

    async def start(self, seed: int = 0) -> str:
        told = {"tags": [], "user_metadata": {}, "sdk_version": "0.24.1"}
        session_id = (await self.post("/create_session", told)).json()["session_id"]
        body = {
            "session_id": session_id,
            "model_seq_id": 0,
            "base_model": MODEL,
            "lora_config": {"rank": 4, "seed": seed},
        }
        future = (await self.post("/create_model", body)).json()
        self.model_id = str((await self.result("create_model", 0, future))["model_id"])
        return self.model_id

    async def submit(self, operation: str, **fields: Any) -> tuple[str, int, Any]:
        self.seq_id += 1
        body = {"model_id": self.model_id, "seq_id": self.seq_id, **fields}
        seq_id = self.seq_id
        answer = await self.post(f"/{operation}", body)
        assert answer.status_code == 200, answer.text
        return operation, seq_id, answer.json()

    async def result(self, operation: str, seq_id: int, future: Any) -> Any:
        while True:
            answer = await self.post("/retrieve_future", {"request_id": future["request_id"]})
            if answer.status_code != 408:
                break
        told = answer.json()
        self.answered[operation, seq_id] += 1
        if answer.status_code != 200 or "error" in told:
            self.failures.append(answer.text)
        return told

    async def step(self) -> list[Any]:
        """A forward-backward pass and an optimizer step, both in flight at once."""
        inputs = {"data": [datum(TOKENS)], "loss_fn": "cross_entropy"}
        first = await self.submit("forward_backward", forward_backward_input=inputs)
        second = await self.submit("optim_step", adam_params={"learning_rate": 1e-3})
        return [await self.result(*first), await self.result(*second)]
