"""Training over the wire: chunk kinds, tensors, encodings, order, and numbers that add up."""

import base64
import struct
import zlib
from itertools import chain
from typing import Any

import numpy as np
import pytest
import zstandard

from tests.server.conftest import TOKENS, Api, datum, sample, training_step, update
from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.serving.in_thread import RunningServer

VISION, AUDIO = "Qwen/Qwen3.5-4B", "thinkingmachines/Inkling"
PROTOBUF = "application/x-protobuf"


def loss(result: dict[str, Any]) -> float:
    return float(result["metrics"]["loss:sum"])


def norm(result: dict[str, Any]) -> float:
    return float(result["metrics"]["unclipped_grad_l2:mean"])


def clipped(model: str, seq_id: int) -> dict[str, Any]:
    """An optim_step that tells the gradient's norm, does not cut it and moves nothing."""
    params = {"learning_rate": 0.0, "grad_clip_norm": 1e12}
    return {"model_id": model, "seq_id": seq_id, "adam_params": params}


def png(width: int, height: int) -> str:
    """A PNG file of that size, in base64."""

    def part(kind: bytes, content: bytes) -> bytes:
        framed = kind + content
        return struct.pack(">I", len(content)) + framed + struct.pack(">I", zlib.crc32(framed))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    content = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")
    return base64.b64encode(content).decode()


def weighted(size: int) -> dict[str, Any]:
    """Inputs for `size` positions of which all count."""
    return {
        "target_tokens": {"data": [5] * size, "dtype": "int64"},
        "weights": {"data": [1.0] * size, "dtype": "float32"},
    }


def test_loss_falls_and_scores_agree_everywhere(api: Api) -> None:
    session = api.session()
    model = api.model(session)
    losses = []
    for step in range(3):
        losses.append(loss(api.done("forward_backward", training_step(model, 2 * step + 1))))
        assert "metrics" in api.done("optim_step", update(model, 2 * step + 2))
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]
    forward = {
        "model_id": model,
        "seq_id": 7,
        "forward_input": {"data": [datum()], "loss_fn": "cross_entropy"},
    }
    scored = api.done("forward", forward)["loss_fn_outputs"][0]["logprobs"]["data"]
    saved = {"model_id": model, "seq_id": 8, "sampling_session_seq_id": 0}
    sampler = api.done("save_weights_for_sampler", saved)["sampling_session_id"]
    told = api.done("asample", sample(sampler, 0, prompt_logprobs=True))
    assert told["prompt_logprobs"][0] is None
    assert told["prompt_logprobs"][1:] == scored


def test_later_chunks_may_arrive_first(api: Api) -> None:
    model = api.model()
    late = [api.submit("forward_backward", training_step(model, n)) for n in (3, 2)]
    step = api.submit("optim_step", update(model, 4))
    first = api.submit("forward_backward", training_step(model, 1))
    assert "metrics" in api.outcome(step)
    assert len({loss(api.outcome(request_id)) for request_id in [first, *late]}) == 1


def test_a_repeated_post_is_the_same_request_and_runs_once(api: Api) -> None:
    model = api.model()
    body = training_step(model, 1)
    first = api.submit("forward_backward", body)
    assert api.submit("forward_backward", body) == first
    assert api.submit("forward_backward", dict(reversed(body.items()))) == first
    other = api.post("forward_backward", training_step(model, 1, datum(TOKENS[:3])))
    assert other.status_code == 409
    assert "seq_id" in other.json()["detail"]


def test_a_refused_request_does_not_hold_up_the_next(api: Api) -> None:
    model = api.model()
    bad = training_step(model, 1)
    bad["forward_backward_input"]["loss_fn"] = "no_such_loss"
    refused = api.post("forward_backward", bad)
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "/forward_backward_input/loss_fn"
    assert "metrics" in api.done("optim_step", update(model, 2))


def protobuf_step(model: str, seq_id: int, *, forward_only: bool = False) -> Any:
    """The training step of `training_step` as a message."""
    message = messages.ForwardBackwardRequest(
        model_id=model, seq_id=seq_id, loss_fn="cross_entropy", forward_only=forward_only
    )
    example = message.data.add()
    tokens = np.array(TOKENS, dtype="<i4")
    example.model_input.add().encoded_text.tokens = tokens[:-1].tobytes()
    targets = example.loss_fn_inputs["target_tokens"]
    targets.dense, targets.dtype = tokens[1:].astype("<i8").tobytes(), 2
    targets.shape.append(len(TOKENS) - 1)
    weights = example.loss_fn_inputs["weights"]
    weights.dense, weights.dtype = np.ones(len(TOKENS) - 1, dtype="<f4").tobytes(), 1
    weights.shape.append(len(TOKENS) - 1)
    return message


@pytest.mark.parametrize("encoding", ["identity", "zstd", "gzip"])
def test_protobuf_says_the_same_as_json(api: Api, encoding: str) -> None:
    import gzip

    model = api.model()
    expected = api.done("forward_backward", training_step(model, 1))
    content = protobuf_step(model, 2).SerializeToString()
    packed = {
        "identity": content,
        "zstd": zstandard.ZstdCompressor().compress(content),
        "gzip": gzip.compress(content),
    }[encoding]
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": encoding}
    posted = api.http.post("/api/v1/forward_backward", content=packed, headers=headers)
    body = {"request_id": posted.json()["request_id"]}
    answer = api.post("retrieve_future", body, Accept=PROTOBUF)
    assert answer.headers["content-type"] == PROTOBUF
    told = messages.ForwardBackwardOutput.FromString(answer.content)
    record = told.loss_fn_outputs[0]
    scored = np.frombuffer(record.fields["logprobs"].data, dtype="<f4")
    assert scored.tolist() == pytest.approx(
        expected["loss_fn_outputs"][0]["logprobs"]["data"], abs=0
    )
    assert told.metrics["loss:sum"] == expected["metrics"]["loss:sum"]
    assert record.num_datums == 1


def test_forward_only_leaves_no_gradient(api: Api) -> None:
    model = api.model()
    content = protobuf_step(model, 1, forward_only=True).SerializeToString()
    headers = {"Content-Type": PROTOBUF}
    api.http.post("/api/v1/forward_backward", content=content, headers=headers)
    assert norm(api.done("optim_step", clipped(model, 2))) == 0


def test_metrics_are_those_of_the_service(api: Api) -> None:
    """loss:sum and the clock cycle; a gradient's norm from steps that clip, from no others."""
    model = api.model()
    passes = []
    for step in range(2):
        passes.append(api.done("forward_backward", training_step(model, 3 * step + 1))["metrics"])
        repeated = training_step(model, 3 * step + 2)
        passes.append(api.done("forward_backward", repeated)["metrics"])
        assert api.done("optim_step", update(model, 3 * step + 3))["metrics"] == {}
    assert all(set(told) == {"loss:sum", "clock_cycle:unique"} for told in passes)
    assert [told["clock_cycle:unique"] for told in passes] == [0, 0, 1, 1]
    once = norm(api.done("optim_step", clipped(model, 7)))
    assert once == 0
    api.done("forward_backward", training_step(model, 8))
    whole = norm(api.done("optim_step", clipped(model, 9)))
    api.done("forward_backward", training_step(model, 10, datum(), datum()))
    assert norm(api.done("optim_step", clipped(model, 11))) == pytest.approx(2 * whole)


@pytest.mark.tinker_mock(quirks=["gradient-norm-always"])
def test_the_norm_is_told_by_every_step_with_the_quirk(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-norms")
    with api.http:
        model = api.model()
        api.done("forward_backward", training_step(model, 1))
        assert norm(api.done("optim_step", update(model, 2))) > 0


def test_dimuon_is_chosen_at_creation_kept_by_a_resume_and_takes_its_own_parameters(
    api: Api,
) -> None:
    session, config = api.session(), {"type": "dimuon", "version": 1}
    model = api.model(session, optimizer_config=config)
    losses = []
    for step in range(3):
        passed = api.done("forward_backward", training_step(model, 2 * step + 1))
        losses.append(loss(passed))
        params = {"type": "dimuon", "learning_rate": 1e-4, "grad_clip_norm": 1.0}
        body = {"model_id": model, "seq_id": 2 * step + 2, "optimizer_params": params}
        assert set(api.done("optim_step", body)["metrics"]) == {"unclipped_grad_l2:mean"}
    assert losses == sorted(losses, reverse=True)
    failed = api.outcome(api.submit("optim_step", update(model, 7)))
    assert failed["category"] == "user"
    assert "does not match the optimizer this model was created with (dimuon)" in failed["error"]
    path = api.done("save_weights", {"model_id": model, "seq_id": 8, "path": "d"})["path"]
    assert api.post("weights_info", {"tinker_path": path}).json()["optimizer_config"] == config
    body = {"session_id": session, "model_seq_id": 5, "path": path, "optimizer": True}
    resumed = api.done("load_weights", body)["model_id"]
    step = training_step(resumed, 1)
    assert loss(api.done("forward_backward", step)) < losses[-1]
    done = {"model_id": resumed, "seq_id": 2, "optimizer_params": {**params, "damping": 1e-3}}
    api.done("optim_step", done)


def test_policy_losses_refuse_weights_by_name(api: Api) -> None:
    size = len(TOKENS) - 1
    inputs = {
        name: {"data": [1.0] * size, "dtype": "float32"}
        for name in ("logprobs", "advantages", "weights")
    }
    inputs["target_tokens"] = {"data": TOKENS[1:], "dtype": "int64"}
    model = api.model()
    given = {"data": [datum(**inputs)], "loss_fn": "importance_sampling"}
    body = {"model_id": model, "seq_id": 1, "forward_backward_input": given}
    failed = api.outcome(api.submit("forward_backward", body))
    assert failed["category"] == "user"
    assert failed["error"].startswith("data[0].loss_fn_inputs.weights: importance_sampling")
    del given["data"][0]["loss_fn_inputs"]["weights"]
    api.done("forward_backward", {**body, "seq_id": 2})


def test_sparse_targets_are_spread_out(api: Api) -> None:
    model = api.model()
    size = len(TOKENS) - 1
    dense = [[token, 0] for token in TOKENS[1:]]
    weights = [[1.0, 0.0]] * size
    full = datum(
        target_tokens={"data": list(chain(*dense)), "dtype": "int64", "shape": [size, 2]},
        weights={"data": list(chain(*weights)), "dtype": "float32", "shape": [size, 2]},
    )
    csr = {
        "shape": [size, 2],
        "sparse_crow_indices": list(range(size + 1)),
        "sparse_col_indices": [0] * size,
    }
    sparse = datum(
        target_tokens={"data": TOKENS[1:], "dtype": "int64", **csr},
        weights={"data": [1.0] * size, "dtype": "float32", **csr},
    )
    results = [
        api.done("forward_backward", training_step(model, number, example))
        for number, example in enumerate((full, sparse), 1)
    ]
    assert results[0]["loss_fn_outputs"] == results[1]["loss_fn_outputs"]
    assert results[0]["loss_fn_outputs"][0]["logprobs"]["shape"] == [size, 2]
    broken = {**csr, "sparse_col_indices": [2] * size}
    target = {"data": TOKENS[1:], "dtype": "int64", **broken}
    failed = api.submit("forward_backward", training_step(model, 3, datum(target_tokens=target)))
    assert "sparse_col_indices" in api.outcome(failed)["error"]


CHUNKS = {
    "image with a count": ({"data": png(224, 224), "format": "png", "expected_tokens": 64}, 64),
    "image measured": ({"data": png(640, 320), "format": "png"}, 200),
    "asset pointer": (
        {
            "location": "s3://x/y.png",
            "format": "png",
            "expected_tokens": 5,
            "type": "image_asset_pointer",
        },
        5,
    ),
    "dmel": ({"dmel": base64.b64encode(bytes([0, 2, 6, 4]) + bytes(24)).decode()}, 6),
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_pictures_and_sounds_take_their_positions(api: Api, kind: str) -> None:
    chunk, positions = CHUNKS[kind]
    size = 2 + positions
    example = {
        "model_input": {"chunks": [{"tokens": [1, 2]}, chunk]},
        "loss_fn_inputs": weighted(size),
    }
    model = api.model(base_model=AUDIO if "dmel" in chunk else VISION)
    result = api.done("forward_backward", training_step(model, 1, example))
    assert result["loss_fn_outputs"][0]["logprobs"]["shape"] == [size]


WRONG = {
    "not base64": ({"data": "***", "format": "png"}, "data[0].model_input.chunks[0].data"),
    "not a png": ({"data": "AAAA", "format": "png"}, "not a png image"),
    "a size that nobody decodes": (
        {
            "data": base64.b64encode(b"\x89PNG\r\n\x1a\n0000IHDR" + b"0" * 24).decode(),
            "format": "png",
        },
        "data[0].model_input.chunks[0].data: its header says 808464432 x 808464432 pixels",
    ),
    "no header": (
        {"data": base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode(), "format": "png"},
        "the IHDR chunk is missing",
    ),
    "a cut header": ({"dmel": "AAU="}, "data[0].model_input.chunks[0].dmel"),
}


@pytest.mark.parametrize("case", WRONG)
def test_broken_pictures_are_named(api: Api, case: str) -> None:
    chunk, named = WRONG[case]
    example = {"model_input": {"chunks": [chunk]}, "loss_fn_inputs": weighted(1)}
    model = api.model(base_model=AUDIO if "dmel" in chunk else VISION)
    refused = api.post("forward_backward", training_step(model, 1, example))
    assert refused.status_code == 400
    assert named in refused.json()["detail"]


def test_a_custom_loss_is_kept_and_run(api: Api) -> None:
    session = api.session()
    model = api.model(session)
    graph = {
        "format": 1,
        "nodes": [
            {"op": "placeholder", "name": "logprobs", "target": "logprobs"},
            {"op": "call_method", "name": "total", "target": "sum", "args": [{"ref": "logprobs"}]},
            {
                "op": "call_function",
                "name": "minus",
                "target": "operator.neg",
                "args": [{"ref": "total"}],
            },
            {
                "op": "output",
                "name": "output",
                "target": "output",
                "args": [{"tuple": [{"ref": "minus"}, {"dict": {}}]}],
            },
        ],
    }
    upload = {
        "session_id": session,
        "custom_loss_seq_id": 0,
        "name": "negative log-likelihood",
        "inputs": [{"name": "logprobs", "rank": 1}],
        "graph": graph,
    }
    loss_id = api.done("create_custom_loss", upload)["loss_id"]
    plain = api.done("forward_backward", training_step(model, 1))
    custom = training_step(model, 2)
    custom["forward_backward_input"] |= {
        "loss_fn": "custom",
        "loss_fn_config": {"loss_id": loss_id},
    }
    assert loss(api.done("forward_backward", custom)) == pytest.approx(loss(plain), rel=1e-6)
    custom = training_step(model, 3)
    custom["forward_backward_input"] |= {"loss_fn": "custom", "loss_fn_config": {"loss_id": "none"}}
    failed = api.submit("forward_backward", custom)
    assert "loss_fn_config.loss_id" in api.outcome(failed)["error"]
