"""REST: the address of every method, and what its answer is read as."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer
from tests.client.opened import service
from tinker_mock.client import (
    Category,
    Checkpoint,
    CheckpointPath,
    CheckpointsList,
    Cursor,
    LoadWeightsResponse,
    ModelInfo,
    SampleResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsResponse,
    ServerCapabilities,
    SupportedModel,
    TrainingRun,
    TrainingRunsList,
    ValidationError,
    parse_checkpoint_path,
)
from tinker_mock.client.types.json import decode, encode
from tinker_mock.client.types.records import Sampler, WeightsInfo
from tinker_mock.client.types.results import sample_response

RUN = {
    "training_run_id": "run-abc",
    "base_model": "Qwen/Qwen2.5-7B",
    "model_owner": "owner",
    "is_lora": True,
    "lora_rank": 8,
    "corrupted": False,
    "last_request_time": "2025-11-26T00:00:00Z",
}
ARCHIVE = httpx.Response(302, headers={"location": "https://archive"})
ANY = httpx.Response(200, json={})
CURSOR = {"offset": 0, "limit": 20, "total_count": 0}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "arguments", "request_line", "answer"),
    [
        (
            "get_session",
            ["session-abc"],
            "GET sessions/session-abc",
            {"training_run_ids": [], "sampler_ids": []},
        ),
        ("list_sessions", [], "GET sessions?limit=20&offset=0", {"sessions": []}),
        ("list_sessions", [10, 20], "GET sessions?limit=10&offset=20", {"sessions": ["s1", "s2"]}),
        (
            "list_training_runs",
            [],
            "GET training_runs?limit=20&offset=0",
            {"training_runs": [], "cursor": CURSOR},
        ),
        (
            "list_training_runs",
            [10, 5],
            "GET training_runs?limit=10&offset=5",
            {"training_runs": [], "cursor": None},
        ),
        ("get_training_run", ["run-abc"], "GET training_runs/run-abc", RUN),
        (
            "get_training_run_by_tinker_path",
            ["tinker://run-xyz/weights/checkpoint-001"],
            "GET training_runs/run-xyz",
            RUN,
        ),
        (
            "list_checkpoints",
            ["run-xyz"],
            "GET training_runs/run-xyz/checkpoints",
            {"checkpoints": []},
        ),
        (
            "list_user_checkpoints",
            [100, 50],
            "GET checkpoints?limit=100&offset=50",
            {"checkpoints": [], "cursor": None},
        ),
        (
            "get_checkpoint_archive_url",
            ["run-2", "ckpt-2"],
            "GET training_runs/run-2/checkpoints/ckpt-2/archive",
            ARCHIVE,
        ),
        (
            "delete_checkpoint",
            ["run-2", "ckpt-2"],
            "DELETE training_runs/run-2/checkpoints/ckpt-2",
            ANY,
        ),
        (
            "delete_checkpoint",
            ["tinker://run-1/weights/0001"],
            "DELETE training_runs/run-1/checkpoints/weights/0001",
            ANY,
        ),
        (
            "publish_checkpoint",
            ["tinker://run-123/weights/0001"],
            "POST training_runs/run-123/checkpoints/weights/0001/publish",
            ANY,
        ),
        (
            "unpublish_checkpoint",
            ["tinker://run-123/weights/0001"],
            "DELETE training_runs/run-123/checkpoints/weights/0001/publish",
            ANY,
        ),
        (
            "get_sampler",
            ["session-id:sample:0"],
            "GET samplers/session-id%3Asample%3A0",
            {
                "sampler_id": "session-id:sample:0",
                "base_model": "Qwen/Qwen2.5-7B",
                "model_path": "tinker://run/weights/001",
            },
        ),
    ],
)
async def test_where_each_method_goes(
    method: str, arguments: list[Any], request_line: str, answer: Any
) -> None:
    verb, address = request_line.split()
    path = httpx.URL(address).path
    server = ScriptedServer({path: answer})
    async with service(server) as opened:
        await getattr(opened.create_rest_client(), method)(*arguments)
    (request,) = server.requests
    assert (request.method, request.url.raw_path.decode()) == (verb, f"/api/v1/{address}")


@pytest.mark.anyio
async def test_health_and_capabilities() -> None:
    models = [
        {"model_name": "llama", "arch": "llama", "model_id": "llama-3-8b"},
        {"model_name": "qwen", "arch": "qwen2", "model_id": "qwen2-72b"},
    ]
    server = ScriptedServer(
        {"healthz": {"status": "ok"}, "get_server_capabilities": {"supported_models": models}}
    )
    async with service(server) as opened:
        assert await opened.health() == "ok"
        assert (await opened.get_server_capabilities()).model_names == ["llama", "qwen"]
    assert [one.method for one in server.requests] == ["GET", "GET"]
    assert server.paths() == ["healthz", "get_server_capabilities"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, []),
        (
            {"supported_models": [{"model_name": "llama", "arch": "llama"}, "qwen", None]},
            ["llama", "qwen"],
        ),
    ],
)
def test_models_are_listed_as_objects_as_names_or_not_at_all(
    body: dict[str, Any], names: list[str]
) -> None:
    assert ServerCapabilities.from_wire(body).model_names == names
    named = SupportedModel.from_wire("meta-llama/Meta-Llama-3-8B")
    assert named.model_name == "meta-llama/Meta-Llama-3-8B"
    assert (named.model_id, named.arch) == (None, None)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (
            "tinker://run-123/sampler_weights/checkpoint-001",
            ("run-123", "sampler", "checkpoint-001"),
        ),
        ("tinker://run:train:0/external_weights/x", ("run:train:0", "external", "x")),
    ],
)
def test_checkpoint_paths_have_a_run_a_type_and_an_id(
    text: str, path: tuple[str, str, str]
) -> None:
    found: CheckpointPath = parse_checkpoint_path(text)
    assert (found.training_run_id, found.checkpoint_type, found.checkpoint_id) == path


@pytest.mark.parametrize(
    "text",
    [
        "run-123/weights/ckpt-1",
        "tinker://run-123/weights",
        "tinker://run-123/weights/ckpt-1/extra",
        "tinker://run-123/model/ckpt-1",
        "tinker:///weights/x",
    ],
)
def test_other_paths_are_the_callers_mistake(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_checkpoint_path(text)
    assert (caught.value.kind, caught.value.category) == ("validation", Category.USER)


def a_checkpoint(number: int, time: str) -> Checkpoint:
    return decode(
        Checkpoint,
        {
            "checkpoint_id": f"ckpt-{number}",
            "checkpoint_type": "weights",
            "tinker_path": f"tinker://run-{number}/weights/000{number}",
            "size_bytes": 2000000,
            "public": False,
            "time": time,
        },
    )


def test_a_checkpoint_knows_its_run_and_keeps_times_it_cannot_read() -> None:
    found = a_checkpoint(2, "2025-11-21T12:00:00Z")
    assert found.training_run_id == "run-2"
    assert found.time == datetime(2025, 11, 21, 12, tzinfo=UTC)
    assert a_checkpoint(9, "Thu, 05 Dec 2025 10:00:00 GMT").time == "Thu, 05 Dec 2025 10:00:00 GMT"


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        (
            SaveWeightsResponse,
            {"path": "tinker://run/weights/step-1"},
            {"path": "tinker://run/weights/step-1", "type": "save_weights"},
        ),
        (
            LoadWeightsResponse,
            {"path": "tinker://run/weights/step-3"},
            {"path": "tinker://run/weights/step-3", "type": "load_weights"},
        ),
        (
            SaveWeightsForSamplerResponse,
            {"path": "tinker://run/sampler/step-2", "sampling_session_id": "session:sample:1"},
            {
                "path": "tinker://run/sampler/step-2",
                "sampling_session_id": "session:sample:1",
                "type": "save_weights_for_sampler",
            },
        ),
        (
            SaveWeightsForSamplerResponse,
            {"sampling_session_id": "session:sample:ephemeral"},
            {
                "path": None,
                "sampling_session_id": "session:sample:ephemeral",
                "type": "save_weights_for_sampler",
            },
        ),
    ],
)
def test_answers_about_weights_have_a_type_of_their_own(
    kind: type[Any], body: dict[str, Any], fields: dict[str, Any]
) -> None:
    found = asdict(decode(kind, body))
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("kind", "list_name", "cursor"),
    [
        (CheckpointsList, "checkpoints", {"total_count": 50, "limit": 1, "offset": 0}),
        (TrainingRunsList, "training_runs", {"offset": 0, "limit": 1, "total_count": 10}),
    ],
)
def test_lists_come_with_a_cursor(kind: type[Any], list_name: str, cursor: dict[str, int]) -> None:
    rows = [RUN] if kind is TrainingRunsList else []
    found = decode(kind, {list_name: rows, "cursor": cursor})
    assert found.cursor == Cursor(**cursor)
    assert len(getattr(found, list_name)) == len(rows)


def test_a_run_with_all_its_fields() -> None:
    checkpoint = {
        "checkpoint_id": "ckpt-1",
        "checkpoint_type": "weights",
        "tinker_path": "tinker://run-123/weights/0001",
        "time": "2025-11-26T00:00:00Z",
        "size_bytes": 100,
        "public": False,
    }
    more = {"lora_rank": 16, "last_checkpoint": checkpoint, "user_metadata": {"env": "test"}}
    found = decode(TrainingRun, {**RUN, **more})
    assert found.is_lora is True
    assert found.corrupted is False
    assert found.lora_rank == 16
    assert found.last_checkpoint is not None
    assert found.last_checkpoint.checkpoint_id == "ckpt-1"


def test_a_model_may_have_no_tokenizer_named() -> None:
    name = "meta-llama/Llama-3"
    found = decode(
        ModelInfo,
        {
            "model_id": "model-1",
            "model_data": {"arch": "llama", "model_name": name},
            "is_lora": True,
            "lora_rank": 8,
            "model_name": name,
            "type": "get_info",
        },
    )
    assert found.model_data.tokenizer_id is None
    assert found.lora_rank == 8


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Sampler, {"sampler_id": "test-sampler", "base_model": "test-model", "model_path": None}),
        (WeightsInfo, {"base_model": "test-model", "is_lora": False, "lora_rank": None}),
    ],
)
def test_what_is_null_is_left_out_when_written_again(kind: type[Any], body: dict[str, Any]) -> None:
    written = {name: value for name, value in body.items() if value is not None}
    assert encode(decode(kind, body)) == written


SAID = {"tokens": [1, 2], "logprobs": [-1.0, -2.0], "stop_reason": "stop"}
SILENT = {"tokens": [], "logprobs": None, "stop_reason": None}


@pytest.mark.parametrize(
    ("sequence", "rows", "read"),
    [
        (SAID, [[[123, -0.9], [456, -1.5]], None], [[(123, -0.9), (456, -1.5)], None]),
        (SILENT, [[{"token_id": 42, "logprob": -0.5}], []], [[(42, -0.5)], []]),
    ],
)
def test_likely_tokens_of_a_prompt_come_as_pairs_or_objects(
    sequence: dict[str, Any], rows: Any, read: Any
) -> None:
    body = {"sequences": [sequence], "topk_prompt_logprobs": rows, "type": "sample"}
    found: SampleResponse = sample_response({**body, "prompt_logprobs": [None, -0.2]})
    assert found.topk_prompt_logprobs is not None
    assert [row and [tuple(cell) for cell in row] for row in found.topk_prompt_logprobs] == read
    assert found.sequences[0].tokens == sequence["tokens"]
    assert found.sequences[0].stop_reason == sequence["stop_reason"]


def test_likely_tokens_that_are_neither_are_refused() -> None:
    body = {"sequences": [{"tokens": []}], "topk_prompt_logprobs": [[["bad"]]]}
    with pytest.raises(ValidationError):
        sample_response(body)
