"""A checkpoint as files other software reads: a PEFT adapter, with the exact state beside it.

`adapter_config.json` and `adapter_model.safetensors` are what PEFT and tinker-cookbook's `weights`
tools load: the base model's modules and shapes, all zeros, or with `adapter_shapes="compact"` (and
for base models whose architecture is not known) a small pair per part that holds our parameters.
The engine's state is in `tinker_mock_state.safetensors`, so that an import resumes bit for bit.
"""

import tarfile
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tinker_mock.server.engine import peft_adapter
from tinker_mock.server.engine.checkpoints.adapter_file import (
    adapter_config,
    safetensors_head,
    trained_modules,
)
from tinker_mock.server.engine.checkpoints.lora_modules import LoraModule, Part, lora_modules
from tinker_mock.server.errors import NotFound
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.encryption import SUFFIX
from tinker_mock.server.service.stored_arrays import arrays_of
from tinker_mock.server.service.stored_file import StoredFile
from tinker_mock.server.state.records import Checkpoint

CONFIG_FILE, ADAPTER_FILE = "adapter_config.json", "adapter_model.safetensors"
STATE_FILE = "tinker_mock_state.safetensors"
END_OF_TAR = 2 * tarfile.BLOCKSIZE


def adapter_files(backend: Backend, checkpoint: Checkpoint) -> list[StoredFile]:
    """The files of a checkpoint, by name."""
    arrays = {name: np.ascontiguousarray(a) for name, a in arrays_of(checkpoint).items()}
    state = StoredFile(STATE_FILE, save(arrays, {"base_model": checkpoint.base_model}))
    base = backend.catalog.get(checkpoint.base_model).base
    modules = _modules(backend, checkpoint)
    if modules is None:
        config, tensors = _compact(base, checkpoint)
        adapter = StoredFile(ADAPTER_FILE, save(tensors, {"format": "pt"}))
    else:
        config = adapter_config(base, checkpoint.rank, modules)
        adapter = StoredFile(ADAPTER_FILE, *safetensors_head(modules, checkpoint.rank))
    told = StoredFile(CONFIG_FILE, orjson.dumps(config, option=orjson.OPT_INDENT_2))
    return [told, adapter, state]


def file_names(checkpoint: Checkpoint) -> list[str]:
    """What the files of an external checkpoint are called."""
    suffix = SUFFIX if checkpoint.recipients else ""
    return [name + suffix for name in (CONFIG_FILE, ADAPTER_FILE, STATE_FILE)]


def file_of(backend: Backend, checkpoint: Checkpoint, name: str) -> StoredFile:
    """One of the files, unencrypted, by the name it is offered under; raises NotFound."""
    for offered, file in zip(
        file_names(checkpoint), adapter_files(backend, checkpoint), strict=True
    ):
        if offered == name:
            return file
    raise NotFound(f"file_id: {checkpoint.path} has no file {name!r}", pointer="/file_id")


def files_size(backend: Backend, checkpoint: Checkpoint) -> int:
    """Bytes of a checkpoint's files."""
    return sum(file.size for file in adapter_files(backend, checkpoint))


def read_state(content: bytes) -> dict[str, Any]:
    """The engine's arrays from a `tinker_mock_state.safetensors`, for the engine's `load_state`.

    Raises ValueError for bytes that are none.
    """
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise ValueError(f"no safetensors: {error}") from error


def archive(backend: Backend, checkpoint: Checkpoint) -> tuple[int, Iterator[bytes]]:
    """A tar of the checkpoint's files: its size and its pieces; the same checkpoint gives the same
    bytes."""
    heads = [(_tar_head(file, checkpoint.created_at), file) for file in
             adapter_files(backend, checkpoint)]  # fmt: skip
    size = sum(len(head) + file.size + _padding(file) for head, file in heads)
    return size + END_OF_TAR, _tar_pieces(heads)


def _tar_pieces(heads: list[tuple[bytes, StoredFile]]) -> Iterator[bytes]:
    for head, file in heads:
        yield head
        yield from file.pieces()
        yield bytes(_padding(file))
    yield bytes(END_OF_TAR)


def _tar_head(file: StoredFile, created_at: float) -> bytes:
    entry = tarfile.TarInfo(file.name)
    entry.size, entry.mtime, entry.mode = file.size, int(created_at), 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(file: StoredFile) -> int:
    return -file.size % tarfile.BLOCKSIZE


def _modules(backend: Backend, checkpoint: Checkpoint) -> list[LoraModule] | None:
    """The modules with an adapter; None where they are not known or not wanted."""
    if backend.settings.adapter_shapes == "compact":
        return None
    model = backend.catalog.get(checkpoint.base_model)
    if not model.architecture:
        return None
    sizes = tuple((key, value) for key, value in model.architecture.items())
    return trained_modules(_modules_of(sizes), _trained(checkpoint))


@lru_cache(maxsize=32)
def _modules_of(sizes: tuple[tuple[str, Any], ...]) -> list[LoraModule]:
    return lora_modules(dict(sizes))


def _trained(checkpoint: Checkpoint) -> set[Part]:
    parts: dict[Part, bool] = {
        "attn": checkpoint.train_attn,
        "mlp": checkpoint.train_mlp,
        "unembed": checkpoint.train_unembed,
    }
    return {part for part, trained in parts.items() if trained}


def _compact(base: str, checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    trained = (checkpoint.train_unembed, checkpoint.train_mlp, checkpoint.train_attn)
    return peft_adapter(base, checkpoint.rank, trained, arrays_of(checkpoint))
