"""Wire data to engine data: datums and prompts. Errors name fields as the engine does."""

import base64
import contextlib
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.engine import Datum
from tinker_mock.server.service.positions import positions_of
from tinker_mock.server.service.tensors import dense_tensor, integers, refused

CONTENT = ("location", "data", "dmel")
"""Where a chunk that is no text keeps what it shows; each kind has one of them."""
INTEGER_INPUTS = {"target_tokens"}


def training_data(data: list[dict[str, Any]], model: CatalogModel) -> list[Datum]:
    """The datums of a forward or forward_backward request."""
    if not data:
        raise refused("data", "at least one datum", "it is empty", "send one datum or more")
    found = []
    for place, datum in enumerate(data):
        checkpoint()
        where = f"data[{place}]"
        tokens = prompt_tokens(datum["model_input"], f"{where}.model_input", model)
        inputs = {
            name: dense_tensor(tensor, f"{where}.loss_fn_inputs.{name}", name in INTEGER_INPUTS)
            for name, tensor in datum["loss_fn_inputs"].items()
        }
        found.append(Datum(tokens, inputs))
    return found


def prompt_tokens(
    model_input: dict[str, Any], where: str, model: CatalogModel
) -> NDArray[np.int64]:
    """The token ids of a model input; pictures and sounds become runs of one
    negative id each, a function of their content: the model tells them apart by it."""
    pieces: list[NDArray[np.int64]] = []
    for place, chunk in enumerate(model_input["chunks"]):
        pieces.append(_chunk_tokens(chunk, f"{where}.chunks[{place}]", model))
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)


def _chunk_tokens(chunk: dict[str, Any], where: str, model: CatalogModel) -> NDArray[np.int64]:
    if "tokens" in chunk:
        tokens = integers(chunk["tokens"], f"{where}.tokens")
        _check_ids(tokens, f"{where}.tokens", model.vocabulary_size)
        return tokens
    return np.full(positions_of(chunk, where, model), content_id(chunk), dtype=np.int64)


def content_id(chunk: dict[str, Any]) -> int:
    """The negative id of a picture's or sound's positions; the same for the same content."""
    content = next(chunk[name] for name in CONTENT if name in chunk)
    raw = content if isinstance(content, bytes) else content.encode()
    if "location" not in chunk and isinstance(content, str):
        # The same bytes came as base64; what is none beyond its head stands for itself.
        with contextlib.suppress(ValueError):
            raw = base64.b64decode(content, validate=True)
    return -1 - (int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest()) >> 2)


def _check_ids(tokens: NDArray[np.int64], where: str, vocabulary_size: int) -> None:
    outside = tokens.view(np.uint64) >= vocabulary_size  # so are the negative ones
    if outside.any():
        place = int(np.argmax(outside))
        rule = f"ids from 0 to {vocabulary_size - 1}"
        fix = "tokenize with the tokenizer of this base model"
        raise refused(f"{where}[{place}]", rule, f"it is {int(tokens[place])}", fix)
