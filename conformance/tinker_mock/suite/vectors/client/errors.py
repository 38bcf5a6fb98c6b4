"""Categories, states and error texts."""

from typing import Any

import orjson

from tinker_mock.client import Category, QueueState, RequestFailedError
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.errors import ApiStatusError
from tinker_mock.client.futures.answers import Failed, read_body
from tinker_mock.client.http.responses import status_error
from tinker_mock.client.training.loss_functions import parse_loss_fn
from tinker_mock.client.types.results import parse_stop_reason
from tinker_mock.suite.vectors.client.stage import Component, Stage, failure, outcome, run
from tinker_mock.suite.vectors.comparison import Partial


def request_error_category(given: Any, entry: Any) -> Any:
    category = Category.parse(given)
    return category.retryable if entry["name"] == "retryable" else category.value


def error(given: Any, _entry: Any) -> Any:
    if "body" in given:
        body = orjson.dumps(given["body"])
        found = status_error(given["status"], {}, body, preset=TINKEX)
        assert status_error(given["status"], {}, body).retryable, "a quirk of this preset only"
        return Partial(failure(found)["error"])
    category = Category.parse(given.get("category"))
    if given["type"] == "request_failed":
        return RequestFailedError("", category=category).user_error
    return ApiStatusError("", status=given["status"], category=category).user_error


def queue_state(given: Any, _entry: Any) -> Any:
    return QueueState.parse(given).value


def stop_reason(given: Any, _entry: Any) -> Any:
    return parse_stop_reason(given)


def loss_fn_type(given: Any, _entry: Any) -> Any:
    return parse_loss_fn(given)


def request_failed_response(given: Any, _entry: Any) -> Any:
    answer = read_body(given)
    assert isinstance(answer, Failed)
    return {"error": answer.error, "category": answer.category.value}


def http_error(given: Any, entry: Any) -> Any:
    """Sent once through the whole transport."""
    from tinker_mock.client.http.call import Call
    from tinker_mock.client.http.responses import REDIRECTS, redirect_target

    stage = Stage([_answer(given)], max_retries=0)

    async def send() -> Any:
        async with stage.transport() as transport:
            reply = await transport.send(Call("GET", "/api/v1/x"))
        return redirect_target(reply) if reply.status in REDIRECTS else reply.json()

    result = outcome(lambda: run(send()), lambda body: {"body": body})
    if "error" not in result:
        return result
    found = dict(result["error"])
    if "error" in entry["expected"]:
        return Partial(error=Partial(found))
    if "fallbacks" in entry["expected"]:
        return {"message": found["message"], "fallbacks": _fallbacks(given["status"])}
    retry = status_error(given["status"], {}, orjson.dumps(given["body"])).retry_after_ms
    return Partial(found | {"retry_after_ms": retry})


def _fallbacks(status: int) -> list[str]:
    """The message's sources in order, found by leaving the better ones out."""
    bodies: tuple[dict[str, str], ...]
    bodies = (
        {"message": "message", "error": "error"},
        {"error": "error"},
        {},
    )
    texts = [status_error(status, {}, orjson.dumps(body)).message for body in bodies]
    return [text.replace(f"HTTP {status}", "HTTP <status>") for text in texts]


def _answer(given: Any) -> Any:
    import httpx

    body = given.get("body", {})
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return httpx.Response(given["status"], headers=given.get("headers"), content=content)


COMPONENTS: dict[str, Component] = {
    "RequestErrorCategory": request_error_category,
    "Error": error,
    "QueueState": queue_state,
    "StopReason": stop_reason,
    "LossFnType": loss_fn_type,
    "RequestFailedResponse": request_failed_response,
    "HTTPError": http_error,
}
