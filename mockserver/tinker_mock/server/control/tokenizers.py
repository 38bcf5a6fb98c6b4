"""Which tokenizer a model is read with."""

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.tokenizers import folder_of, own_tokenizer
from tinker_mock.server.wire.exchange import Exchange

FORMS = ("tokenizer.json", "tiktoken.model")
"""What the reference client, who asks, loads."""


async def get_tokenizer(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    backend = control.backend
    model = backend.catalog.get(exchange.query["model"], "/model")
    own = await backend.compute(own_tokenizer, model)
    folder = await backend.compute(folder_of, model, FORMS)
    return {"model": model.name, "own": own is not None, "folder": folder}
