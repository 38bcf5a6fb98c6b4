"""Tensors, data, prompts and parameters as they are sent, and what they weigh."""

from typing import Any

import numpy as np
import pytest

from tests.client.conftest import MODEL, ScriptedServer, config
from tinker_mock.client import (
    AdamParams,
    AsyncServiceClient,
    Datum,
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
    LoraConfig,
    ManualClock,
    ModelInput,
    OptimStepResponse,
    SamplingParams,
    TensorData,
    ValidationError,
)
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.futures.chunks import (
    ChunkLimits,
    chunk_bytes,
    datum_bytes,
    model_input_bytes,
    split,
    tensor_bytes,
)
from tinker_mock.client.types.json import decode, encode
from tinker_mock.client.types.tensors import native_to_wire, parse_dtype

TOKEN = EncodedTextChunk([1])


@pytest.mark.parametrize(
    ("values", "native", "data", "wire", "shape"),
    [
        ([1.0, 2.0, 3.0], "float64", [1.0, 2.0, 3.0], "float32", [3]),
        ([1, 2, 3], "int32", [1, 2, 3], "int64", [3]),
        ([[1, 2], [3, 4]], "int64", [1, 2, 3, 4], "int64", [2, 2]),
        (42.5, "float64", [42.5], "float32", None),
    ],
)
def test_arrays_are_sent_flat_and_in_two_dtypes(
    values: Any, native: str, data: list[Any], wire: str, shape: list[int] | None
) -> None:
    tensor = TensorData.from_array(np.asarray(values, native))
    assert (tensor.data, tensor.dtype, tensor.shape) == (data, wire, shape)


def test_a_tensor_without_a_shape_has_one_dimension() -> None:
    sent = {"data": [1.0, 2.0, 3.0], "dtype": "float32", "shape": None}
    assert TensorData.from_wire(sent).to_numpy().shape == (3,)


@pytest.mark.parametrize(
    ("native", "wire", "warning"),
    [
        ("f32", "float32", None),
        ("f64", "float32", "Downcasting float64 to float32 may cause precision loss"),
        ("s64", "int64", None),
        ("u8", "int64", None),
        ("u16", "int64", None),
        ("u32", "int64", None),
        ("u64", "int64", "u64 to int64 may overflow"),
    ],
)
def test_native_dtypes_and_what_they_may_lose(native: str, wire: str, warning: str | None) -> None:
    found, said = native_to_wire(native)
    assert found == wire
    if warning is None:
        assert said is None
    else:
        assert said is not None
        assert warning in said


@pytest.mark.parametrize(("text", "dtype"), [("float32", "float32"), ("int32", None), (None, None)])
def test_only_the_wires_own_dtypes_are_read(text: str | None, dtype: str | None) -> None:
    assert parse_dtype(text) == dtype


def test_the_name_of_a_list_fixes_its_dtype() -> None:
    datum = Datum.of(
        ModelInput.from_ints([1]),
        weights=[1, 2, 3],
        target_tokens=[9, 8],
        advantages=[0.5],
        logprobs=[-1],
        custom_penalty=np.asarray([1, 2, 3], "int64"),
    )
    found = {name: (one.dtype, one.data) for name, one in datum.loss_fn_inputs.items()}
    assert found == {
        "weights": ("float32", [1, 2, 3]),
        "target_tokens": ("int64", [9, 8]),
        "advantages": ("float32", [0.5]),
        "logprobs": ("float32", [-1]),
        "custom_penalty": ("int64", [1, 2, 3]),
    }
    with pytest.raises(ValidationError, match="custom_penalty"):
        Datum.of(ModelInput.from_ints([1]), custom_penalty=[0.1, 0.2])


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (
            AdamParams(),
            {
                "learning_rate": 0.0001,
                "beta1": 0.9,
                "beta2": 0.95,
                "eps": 1e-12,
                "weight_decay": 0.0,
                "grad_clip_norm": 0.0,
            },
        ),
        (SamplingParams(), {"temperature": 1.0, "top_k": -1, "top_p": 1.0}),
        (
            LoraConfig(),
            {
                "rank": 32,
                "seed": None,
                "train_mlp": True,
                "train_attn": True,
                "train_unembed": True,
            },
        ),
        (
            ImageChunk(b"test_data", "png"),
            {"data": "dGVzdF9kYXRh", "format": "png", "type": "image"},
        ),
        (
            ImageChunk(b"test_data", "png", 50),
            {"data": "dGVzdF9kYXRh", "format": "png", "type": "image", "expected_tokens": 50},
        ),
        (
            ImageAssetPointerChunk("asset://p", "jpeg"),
            {"location": "asset://p", "format": "jpeg", "type": "image_asset_pointer"},
        ),
        (
            ImageAssetPointerChunk("s3://bucket/path/image.png", "png", 50),
            {
                "location": "s3://bucket/path/image.png",
                "format": "png",
                "expected_tokens": 50,
                "type": "image_asset_pointer",
            },
        ),
        (
            ModelInput.from_ints([1, 2, 3]),
            {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]},
        ),
    ],
)
def test_values_on_the_wire(value: Any, sent: dict[str, Any]) -> None:
    assert encode(value) == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", -0.001),
        ("beta1", 1.0),
        ("beta1", -0.1),
        ("eps", -1e-8),
        ("weight_decay", -0.01),
    ],
)
def test_optimizer_settings_that_cannot_be_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        AdamParams(**{name: value})


@pytest.mark.parametrize(
    ("answer", "metrics"),
    [
        ({}, None),
        ({"metrics": None}, None),
        ({"metrics": {"loss": 0.5, "grad_norm": 1.2}}, {"loss": 0.5, "grad_norm": 1.2}),
    ],
)
def test_an_optimizer_step_may_have_metrics(answer: dict[str, Any], metrics: Any) -> None:
    assert decode(OptimStepResponse, answer).metrics == metrics


@pytest.mark.parametrize(
    ("start", "appended", "tokens"), [([1, 2], [3], [1, 2, 3]), ([], [1, 2, 3], [1, 2, 3])]
)
def test_appended_tokens_join_the_last_text_chunk(
    start: list[int], appended: list[int], tokens: list[int]
) -> None:
    prompt = ModelInput.from_ints(start) if start else ModelInput.empty()
    for token in appended:
        prompt = prompt.append_int(token)
    assert (prompt.to_ints(), len(prompt.chunks)) == (tokens, 1)


def test_an_image_of_unknown_size_has_no_length() -> None:
    image = ImageChunk(b"", "png")
    for value in (image, ModelInput([TOKEN, image])):
        with pytest.raises(ValidationError, match="expected_tokens"):
            _ = value.length


def test_text_needs_the_model_whose_tokenizer_reads_it() -> None:
    with pytest.raises(ValidationError, match="model_name") as caught:
        ModelInput.from_text("hello")
    assert caught.value.kind == "validation"


def test_what_is_sent_is_weighed_before() -> None:
    """Ten bytes a token or element; images by their base64, pointers by their address."""
    image = ImageChunk(b"x" * 6, "png")  # eight characters of base64
    assert chunk_bytes(EncodedTextChunk([1, 2, 3, 4, 5]), TINKEX) == 50
    assert chunk_bytes(ImageAssetPointerChunk("tinker://asset/path", "png"), TINKEX) == 19
    assert chunk_bytes(ImageChunk(b"x" * 7, "png"), TINKEX) == 10
    assert model_input_bytes(ModelInput([EncodedTextChunk([1, 2, 3]), image]), TINKEX) == 38
    assert tensor_bytes(TensorData([1, 2, 3, 4], "int64"), TINKEX) == 40
    weights, mask = TensorData([0.1, 0.2], "float32"), TensorData([1, 2, 3], "float32")
    assert tensor_bytes(weights, TINKEX) + tensor_bytes(mask, TINKEX) == 50
    datum = Datum.of(ModelInput.from_ints([1, 2, 3]), target_tokens=[1, 2])
    assert datum_bytes(datum, TINKEX) == 50


TEXT, IMAGE = EncodedTextChunk([1] * 1000), ImageChunk(b"x" * 1_500_000, "png")


@pytest.mark.parametrize(
    ("chunks", "sizes"),
    [
        pytest.param([TOKEN] * 1025, [1024, 1], id="1025 tiny data"),
        pytest.param([EncodedTextChunk([1] * 60_000)] * 9, [8, 1], id="9 of 60 000 tokens"),
        pytest.param([TEXT, IMAGE, TEXT, IMAGE, TEXT], [5], id="text and 2 MB images"),
        pytest.param([TEXT, IMAGE, TEXT, IMAGE, TEXT, IMAGE], [5, 1], id="one image more"),
        pytest.param([EncodedTextChunk([1] * 600_000)], [1], id="a first datum too large"),
    ],
)
def test_batches_are_cut_by_number_and_by_size(chunks: list[Any], sizes: list[int]) -> None:
    data = [Datum(ModelInput([chunk]), {}) for chunk in chunks]
    assert [len(chunk.data) for chunk in split(data, TINKEX, ChunkLimits())] == sizes


@pytest.mark.anyio
async def test_each_part_of_a_large_batch_is_a_request_with_its_own_number() -> None:
    result = {"loss_fn_output_type": "T", "loss_fn_outputs": [{}], "metrics": {}}
    server = ScriptedServer(
        {
            **MODEL,
            "forward": {"request_id": "f"},
            "retrieve_future": [{"model_id": "m", "type": "create_model"}, result],
        }
    )
    large = [ImageChunk(b"x" * 3_000_000, "png"), ImageAssetPointerChunk("p" * 3_500_000, "png")]
    async with AsyncServiceClient(config("tinkex"), http=server, clock=ManualClock()) as service:
        training = await service.create_lora_training_client("base")
        await training.forward([Datum(ModelInput([chunk]), {}) for chunk in large], "cross_entropy")
    assert [body["seq_id"] for body in server.bodies("forward")] == [1, 2]
