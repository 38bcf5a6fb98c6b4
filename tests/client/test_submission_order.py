"""Training operations reach the server in the program's order, in one or several requests."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.client.conftest import MODEL, ScriptedServer, config, numbered, promised
from tests.client.test_first_steps import a_datum, forward_output
from tinker_mock.client import (
    ApiStatusError,
    AsyncServiceClient,
    AsyncTrainingClient,
    Datum,
    ManualClock,
    ModelInput,
    PoisonedClientError,
    RequestFailedError,
    ValidationError,
)
from tinker_mock.client.futures.order import SubmissionOrder

pytestmark = pytest.mark.anyio


def small_chunks(preset: str, answers: dict[str, Any]) -> tuple[AsyncServiceClient, ScriptedServer]:
    server = ScriptedServer({**MODEL, "create_model": {"model_id": "m"}, **answers})
    service = AsyncServiceClient(
        config(preset, submission_window=0.0, max_retries=0), http=server, clock=ManualClock()
    )
    return service, server


async def test_turns_begin_in_order_of_places_even_if_entered_backwards() -> None:
    order, log = SubmissionOrder(), []

    async def one(name: str, place: int, count: int) -> None:
        async with order.during(place) as turn:
            log.append((name, list(turn.take(count))))
            await asyncio.sleep(0)

    first, second, third = order.place(), order.place(), order.place()
    await asyncio.gather(one("c", third, 3), one("b", second, 1), one("a", first, 2))
    assert log == [("a", [1, 2]), ("b", [3]), ("c", [4, 5, 6])]


async def test_a_large_batch_becomes_several_requests_and_one_result() -> None:
    data = [a_datum() for _ in range(1030)]

    def answer(request: httpx.Request) -> dict[str, Any]:
        number = int(json.loads(request.content)["request_id"].split("-")[1])
        return forward_output(1024 if number == 1 else 6, loss=float(number))

    service, server = small_chunks(
        "python-0.7", {"forward_backward": numbered("fb"), "retrieve_future": answer}
    )
    async with service:
        training = await service.create_lora_training_client("base")
        result = await training.forward_backward(data, "cross_entropy")
    sent = server.bodies("forward_backward")
    assert [body["seq_id"] for body in sent] == [1, 2]
    assert [len(body["forward_backward_input"]["data"]) for body in sent] == [1024, 6]
    assert len(result.loss_fn_outputs) == 1030
    assert result.metrics == {"loss:sum": 3.0}


async def test_the_newest_client_sends_the_first_chunk_last() -> None:
    seen: list[int] = []

    def accept(request: httpx.Request) -> dict[str, Any]:
        from tinker_mock.contracts.protobuf import messages

        message = messages.ForwardBackwardRequest.FromString(request.content)
        seen.append(message.seq_id)
        return {"request_id": f"fb-{message.seq_id}"}

    service, _ = small_chunks(
        "python-latest",
        {
            "client/config": {"fwdbwd_max_chunk_len": 2},
            "client/dynamic_config": {},
            "forward_backward": accept,
            "retrieve_future": forward_output(1),
        },
    )
    async with service:
        training = await service.create_lora_training_client("base")
        await training.forward_backward([a_datum() for _ in range(5)], "cross_entropy")
    assert sorted(seen) == [1, 2, 3]
    assert seen[-1] == 1


async def test_after_a_lost_submission_nothing_later_can_run() -> None:
    service, server = small_chunks(
        "python-latest",
        {
            "client/config": {},
            "client/dynamic_config": {},
            "optim_step": (403, {"detail": "no"}),
            "save_weights": numbered("save"),
        },
    )
    async with service:
        training = await service.create_lora_training_client("base")
        step, save = training.optim_step(), training.save_state("x")
        with pytest.raises(ApiStatusError):
            await step
        with pytest.raises(PoisonedClientError, match="last checkpoint") as caught:
            await save
        assert isinstance(caught.value.__cause__, ApiStatusError)
    assert server.bodies("save_weights") == []


async def test_a_failed_promise_does_not_stop_later_operations() -> None:
    results = {
        "optim-1": {"error": "no gradients", "category": "user"},
        "optim-2": {"metrics": {"a": 1.0}},
    }
    service, _ = small_chunks(
        "python-latest",
        {
            "client/config": {},
            "client/dynamic_config": {},
            "optim_step": numbered("optim"),
            "retrieve_future": promised(results),
        },
    )
    async with service:
        training = await service.create_lora_training_client("base")
        first, second = training.optim_step(), training.optim_step()
        with pytest.raises(RequestFailedError, match="no gradients"):
            await first
        assert (await second).metrics == {"a": 1.0}


async def test_mistakes_are_found_before_anything_is_sent() -> None:
    service, server = small_chunks(
        "python-latest", {"client/config": {}, "client/dynamic_config": {}}
    )
    async with service:
        training: AsyncTrainingClient = await service.create_lora_training_client("base")
        before = len(server.requests)
        with pytest.raises(ValidationError, match="must not be empty"):
            training.forward_backward([], "cross_entropy")
        with pytest.raises(ValidationError, match="Invalid loss_fn"):
            training.forward([a_datum()], "mse")
        with pytest.raises(ValidationError, match="known name"):
            Datum.of(ModelInput.from_ints([1]), penalty=[0.1])
        with pytest.raises(ValidationError, match="target_tokens"):
            training.forward_backward_custom([Datum(ModelInput.from_ints([1]), {})], lambda *_: 0)
        assert len(server.requests) == before
    with pytest.raises(ValidationError, match="At least one of"):
        async with small_chunks("python-0.7", {})[0] as other:
            await other.create_lora_training_client(
                "base", train_mlp=False, train_attn=False, train_unembed=False
            )
