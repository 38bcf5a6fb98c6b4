"""Whose tokenizer to load for a model, also where the Hugging Face hub is out of reach."""

import asyncio
from pathlib import Path

from tinker_mock.client.errors import ApiError, TinkerError
from tinker_mock.client.http.call import Call
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.text import load_tokenizer


async def tokenizer_source(connection: Connection, model: str | None) -> str | None:
    """The model's name, or the directory in which a mock on this machine has its tokenizer."""
    try:
        await asyncio.to_thread(load_tokenizer, model)
    except TinkerError:
        return await _folder(connection, model) or model
    return model


async def _folder(connection: Connection, model: str | None) -> str | None:
    call = Call("GET", "/_mock/tokenizer", query={"model": model or ""}, max_retries=0)
    try:
        folder = (await connection.transport.send(call)).json().get("folder")
    except ApiError:
        return None
    there = bool(folder) and await asyncio.to_thread(Path(folder).is_dir)
    return str(folder) if there else None
