"""Tensors, data, model inputs, parameters: what is sent."""

from typing import Any

import numpy as np

from tinker_mock.client import AdamParams, LoraConfig, SamplingParams, TensorData, TinkerError
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.futures.chunks import (
    ChunkLimits,
    chunk_bytes,
    datum_bytes,
    model_input_bytes,
    split,
    tensor_bytes,
)
from tinker_mock.client.types.chunks import (
    Chunk,
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
)
from tinker_mock.client.types.datum import KEY_DTYPES, Datum, loss_tensors
from tinker_mock.client.types.json import decode, encode
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.results import OptimStepResponse
from tinker_mock.client.types.tensors import native_to_wire, parse_dtype
from tinker_mock.suite.vectors.client.stage import Component, rejected
from tinker_mock.suite.vectors.comparison import Partial

_NATIVE = {"f64": "float64", "f32": "float32", "s64": "int64", "s32": "int32"}


def tensor_data(given: Any, _entry: Any) -> Any:
    if "data" in given:
        return {"array_shape": list(TensorData.from_wire(given).to_numpy().shape)}
    array = np.asarray(given["values"], dtype=given["dtype"])
    sent = TensorData.from_array(array)
    return {"data": sent.data, "dtype": sent.dtype, "shape": sent.shape}


def tensor_dtype(given: Any, entry: Any) -> Any:
    if entry["name"] == "parse":
        return parse_dtype(given)
    wire, warning = native_to_wire(given)
    expected = entry["expected"].get("warning")
    if warning and expected and all(part in warning for part in expected.split(" … ")):
        warning = expected  # an ellipsis in the vector stands for any words
    return {"wire": wire, "warning": warning}


def datum(given: Any, entry: Any) -> Any:
    if isinstance(given, str):
        return KEY_DTYPES[given]
    inputs = {
        name: np.asarray(value["values"], _NATIVE[value["native_dtype"]])
        if isinstance(value, dict)
        else value
        for name, value in given["loss_fn_inputs"].items()
    }
    refusal = entry["expected"].get("error", "ArgumentError")
    return rejected(
        lambda: {
            name: {"dtype": tensor.dtype, "data": tensor.data}
            for name, tensor in loss_tensors(inputs).items()
        },
        refusal,
    )


def adam_params(given: Any, _entry: Any) -> Any:
    try:
        return {"json": encode(AdamParams(**given))}
    except TinkerError as error:
        return {"error": error.message}


def optim_step_response(given: Any, _entry: Any) -> Any:
    return {"metrics": decode(OptimStepResponse, given).metrics}


def image_chunk(given: Any, entry: Any) -> Any:
    chunk = ImageChunk(
        given.get("bytes_utf8", "").encode(),
        given.get("format", "png"),
        given.get("expected_tokens"),
    )
    if "bytes_utf8" not in given:
        return rejected(lambda: chunk.length)
    sent = encode(chunk)
    return {"json": sent} | _absent(sent, entry)


def image_asset_pointer(given: Any, entry: Any) -> Any:
    sent = encode(ImageAssetPointerChunk(**given))
    return Partial({"json": sent} | _absent(sent, entry))


def _absent(sent: dict[str, Any], entry: Any) -> dict[str, Any]:
    wanted = entry["expected"].get("absent")
    return {} if wanted is None else {"absent": [name for name in wanted if name not in sent]}


def model_input(given: Any, _entry: Any) -> Any:
    if isinstance(given, list):
        return {"json": encode(ModelInput.from_ints(given))}
    if "text" in given:
        try:
            ModelInput.from_text(given["text"], **given["opts"])
        except TinkerError as error:
            return {"error_type": error.kind, "message": error.message}
    if "append_int" in given:
        value = ModelInput.from_ints(given["start"]) if given["start"] else ModelInput.empty()
        for token in given["append_int"]:
            value = value.append_int(token)
        return {"tokens": value.to_ints(), "chunks": len(value.chunks)}
    return rejected(lambda: ModelInput([_chunk(one) for one in given["chunks"]]).length)


def _chunk(given: Any) -> Chunk:
    if "tokens" in given:
        count = given["tokens"]
        return EncodedTextChunk([1] * count if isinstance(count, int) else count)
    if "location" in given:
        return ImageAssetPointerChunk(given["location"], "png")
    if "pointer_len" in given:
        return ImageAssetPointerChunk("p" * given["pointer_len"], "png")
    if "image_data" in given:  # the vector's characters are base64 already
        return ImageChunk(b"x" * (len(given["image_data"]) * 3 // 4), "png")
    if "image_raw_len" in given:
        return ImageChunk(b"x" * given["image_raw_len"], "png")
    if "image_b64_len" in given:
        return ImageChunk(b"x" * (given["image_b64_len"] * 3 // 4), "png")
    return ImageChunk(b"", "png", given.get("image_expected_tokens"))


def byte_estimator(given: Any, _entry: Any) -> Any:
    if "chunks" in given:
        return model_input_bytes(ModelInput([_chunk(one) for one in given["chunks"]]), TINKEX)
    if "tokens" in given and "target_tokens" in given:
        one = Datum.of(ModelInput.from_ints(given["tokens"]), target_tokens=given["target_tokens"])
        return datum_bytes(one, TINKEX)
    if {"tokens", "location", "image_data"} & set(given):
        return chunk_bytes(_chunk(given), TINKEX)
    tensors = (TensorData(value["data"], value.get("dtype", "float32")) for value in given.values())
    return sum(tensor_bytes(tensor, TINKEX) for tensor in tensors)


def data_chunking(given: Any, entry: Any) -> Any:
    if isinstance(given, dict):
        given = [{"tokens": given["tokens_each"]}] * given["count"]
    data = [Datum(ModelInput([_chunk(one)]), {}) for one in given]
    chunks = split(data, TINKEX, ChunkLimits())
    sizes = [len(chunk.data) for chunk in chunks]
    if "python" in entry["expected"]:
        from tinker_mock.suite.vectors.runner import Chosen

        why = "an empty request helps nobody: the first chunk is never empty"
        return Chosen("expected.python", f"{sizes} only (guard len(chunk)>0)", why)
    if "requests" in entry["expected"]:
        return {"requests": len(chunks), "seq_ids": list(range(1, len(chunks) + 1))}
    return {"chunk_sizes": sizes}


def sampling_params(given: Any, _entry: Any) -> Any:
    return {"json": encode(SamplingParams(**given))}


def lora_config(given: Any, _entry: Any) -> Any:
    return {"json": encode(LoraConfig(**given))}


COMPONENTS: dict[str, Component] = {
    "TensorData": tensor_data,
    "TensorDtype": tensor_dtype,
    "Datum": datum,
    "AdamParams": adam_params,
    "OptimStepResponse": optim_step_response,
    "ImageChunk": image_chunk,
    "ImageAssetPointerChunk": image_asset_pointer,
    "ModelInput": model_input,
    "ByteEstimator": byte_estimator,
    "DataChunking": data_chunking,
    "SamplingParams": sampling_params,
    "LoraConfig": lora_config,
}
