"""REST: addresses and answers."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import httpx

from tinker_mock.client.commands.formats import time_text
from tinker_mock.client.rest.paths import parse_checkpoint_path
from tinker_mock.client.types import records as catalog
from tinker_mock.client.types import results as work
from tinker_mock.client.types.json import decode, encode
from tinker_mock.suite.vectors.client.stage import Component, Stage, outcome, rejected, run
from tinker_mock.suite.vectors.comparison import Partial

_SAMPLES: dict[str, Any] = {
    "TrainingRunsResponse": {"training_runs": [], "cursor": None},
    "TrainingRun": {
        "training_run_id": "r",
        "base_model": "b",
        "model_owner": "o",
        "is_lora": True,
        "last_request_time": "2025-11-26T00:00:00Z",
    },
    "302 Location -> {url}": httpx.Response(302, headers={"location": "https://archive"}),
}


def rest(given: Any, entry: Any) -> Any:
    """The method is named by the vector; what it sends is read off the scripted server."""
    answer = given.get("response_body", {})
    answer = _SAMPLES[answer] if isinstance(answer, str) else answer
    stage = Stage([answer])

    async def call() -> None:
        async with stage.service() as service:
            await getattr(service.create_rest_client(), entry["name"])(*given["args"])

    run(call())
    return {"request": stage.script.line()}


def service(given: Any, entry: Any) -> Any:
    stage = Stage([given["response"]])

    async def call() -> Any:
        async with stage.service() as client:
            if entry["name"] == "health":
                return await client.health()
            return await client.get_server_capabilities()

    answer = run(call())
    if isinstance(answer, catalog.ServerCapabilities):
        names = [model["model_name"] for model in given["response"]["supported_models"]]
        assert answer.model_names == names
    return {"request": stage.script.line()}


def checkpoint_path(given: Any, _entry: Any) -> Any:
    def parts(path: Any) -> Any:
        return {
            "training_run_id": path.training_run_id,
            "checkpoint_type": path.checkpoint_type,
            "checkpoint_id": path.checkpoint_id,
        }

    return outcome(lambda: parse_checkpoint_path(given), parts)


def checkpoint(given: Any, _entry: Any) -> Any:
    found = decode(catalog.Checkpoint, given)
    time = found.time
    shown = f"datetime {time_text(time)}" if isinstance(time, datetime) else time
    return Partial(training_run_id=found.training_run_id, time=shown)


def answer_of(cls: type[Any]) -> Component:
    """Decode an answer; fields with a dot in the vector are looked up inside."""

    def component(given: Any, entry: Any) -> Any:
        found = asdict(decode(cls, given))
        dotted = {name: _inside(found, name) for name in entry["expected"] if "." in name}
        return Partial(found | dotted)

    return component


def _inside(value: Any, name: str) -> Any:
    for part in name.split("."):
        value = value[part]
    return value


def omitting(cls: type[Any]) -> Component:
    """Decode and encode again: nulls that are not sent are gone."""
    return lambda given, _entry: {"json": encode(decode(cls, given))}


def capabilities(given: Any, entry: Any) -> Any:
    found = catalog.ServerCapabilities.from_wire(given)
    if "model_names" in entry["expected"]:
        return {"model_names": found.model_names}
    return {"supported_models": [asdict(model) for model in found.supported_models]}


def supported_model(given: Any, _entry: Any) -> Any:
    return Partial(asdict(catalog.SupportedModel.from_wire(given)))


def sample_response(given: Any, entry: Any) -> Any:
    def fields() -> Any:
        found = work.sample_response(given)
        rows = None if found.topk_prompt_logprobs is None else list(found.topk_prompt_logprobs)
        cells = [None if row is None else [list(cell) for cell in row] for row in rows or []]
        first = found.sequences[0].stop_reason
        return Partial(topk_prompt_logprobs=cells, stop_reason=first)

    refusal = entry["expected"].get("error", "ArgumentError")
    return rejected(fields, refusal)


COMPONENTS: dict[str, Component] = {
    "Rest": rest,
    "Service": service,
    "CheckpointPath": checkpoint_path,
    "Checkpoint": checkpoint,
    "CheckpointsList": answer_of(catalog.CheckpointsList),
    "SaveWeightsResponse": answer_of(work.SaveWeightsResponse),
    "SaveWeightsForSamplerResponse": answer_of(work.SaveWeightsForSamplerResponse),
    "LoadWeightsResponse": answer_of(work.LoadWeightsResponse),
    "TrainingRun": answer_of(catalog.TrainingRun),
    "TrainingRunsResponse": answer_of(catalog.TrainingRunsList),
    "GetInfoResponse": answer_of(catalog.ModelInfo),
    "GetSamplerResponse": omitting(catalog.Sampler),
    "WeightsInfoResponse": omitting(catalog.WeightsInfo),
    "Capabilities": capabilities,
    "SupportedModel": supported_model,
    "SampleResponse": sample_response,
}
