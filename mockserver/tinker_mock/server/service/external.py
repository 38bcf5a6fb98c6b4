"""A checkpoint as files other software reads: a PEFT adapter, with the exact state beside it.

`adapter_config.json` and `adapter_model.safetensors` are what PEFT loads. The engine's state is
in `tinker_mock_state.safetensors`, so that an import resumes bit for bit.
"""

import io
import tarfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load, save

from tinker_mock.server.engine import peft_adapter
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service.stored_arrays import arrays_of
from tinker_mock.server.state.records import Checkpoint

STATE_FILE = "tinker_mock_state.safetensors"


def adapter_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """File name to content, unencrypted."""
    trained = (checkpoint.train_unembed, checkpoint.train_mlp, checkpoint.train_attn)
    config, tensors = peft_adapter(
        checkpoint.base_model, checkpoint.rank, trained, arrays_of(checkpoint)
    )
    arrays = {name: np.ascontiguousarray(a) for name, a in arrays_of(checkpoint).items()}
    return {
        "adapter_config.json": orjson.dumps(config, option=orjson.OPT_INDENT_2),
        "adapter_model.safetensors": save(tensors, {"format": "pt"}),
        STATE_FILE: save(arrays, {"base_model": checkpoint.base_model}),
    }


def read_state(content: bytes) -> dict[str, Any]:
    """The engine's arrays from a `tinker_mock_state.safetensors`, for the engine's `load_state`.

    Raises ValueError for bytes that are none.
    """
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise ValueError(f"no safetensors: {error}") from error


def external_files(checkpoint: Checkpoint, recipients: Sequence[str]) -> dict[str, bytes]:
    """The adapter's files; with recipients each is age-encrypted and named `*.age`.

    Raises OperationFailed for a recipient that is no age public key.
    """
    files = adapter_files(checkpoint)
    if not recipients:
        return files
    try:
        import pyrage
    except ModuleNotFoundError as error:
        raise OperationFailed(
            "age_encryption_recipients: this server cannot encrypt; pip install 'tinker-mock[age]'"
        ) from error

    try:
        keys = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    except pyrage.RecipientError as error:
        raise OperationFailed(
            f"age_encryption_recipients: not an age public key: {error}; "
            "send X25519 recipients as `age-keygen -y` prints them (age1…)"
        ) from error
    return {f"{name}.age": pyrage.encrypt(content, keys) for name, content in files.items()}


def archive(checkpoint: Checkpoint) -> bytes:
    """A tar of the adapter's files; the same checkpoint gives the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(adapter_files(checkpoint).items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), int(checkpoint.created_at), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
