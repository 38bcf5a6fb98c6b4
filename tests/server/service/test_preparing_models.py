"""Base models are made ready once, whoever asks, and what they have in common is made once."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

import tinker_mock.server.service.operations  # noqa: F401 (so that no create has to wait for it)
from tinker_mock.server import create_app
from tinker_mock.server.engine.model import corpus
from tinker_mock.server.engine.model.context_tables import ContextTable

KEY = {"X-API-Key": "tml-prepared"}


def count(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    real = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        counts[name] += 1
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, call)
    return counts


def created(*bases: str) -> list[Any]:
    """The results of a model of each, asked for all at once."""

    async def main() -> list[Any]:
        app = create_app(seed=1)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://mock/api/v1/", headers=KEY
            ) as client,
        ):

            async def post(path: str, body: dict[str, Any]) -> Any:
                return (await client.post(path, json=body)).raise_for_status().json()

            told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
            session = (await post("create_session", told))["session_id"]

            async def create(number: int, base: str) -> Any:
                body = {"session_id": session, "base_model": base, "model_seq_id": number}
                lora = {"lora_config": {"rank": 8}}
                promise = await post("create_model", body | lora)
                return await post("retrieve_future", {"request_id": promise["request_id"]})

            return await asyncio.gather(*(create(n, base) for n, base in enumerate(bases)))

    return asyncio.run(main())


def test_creations_that_wait_for_a_base_model_share_its_preparation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = count(monkeypatch, ContextTable, "of")
    results = created(*["Qwen/Qwen3-8B"] * 5)
    assert [result["type"] for result in results] == ["create_model"] * 5
    assert made["of"] == 1


def test_models_of_one_tokenizer_share_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faker")
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(tmp_path))
    monkeypatch.setenv("TINKER_MOCK_TOKENIZERS", str(tmp_path / "none"))
    encoded, written = count(monkeypatch, corpus, "documents"), count(monkeypatch, corpus, "texts")
    created("Qwen/Qwen3.5-4B")
    created("Qwen/Qwen3.5-9B")
    created("openai/gpt-oss-20b")
    assert encoded["documents"] == 2
    assert written["texts"] == 1
