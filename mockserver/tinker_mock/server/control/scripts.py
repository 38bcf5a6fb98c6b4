"""Scripted answers of the engine's base models."""

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.engine import EngineError, ScriptedAnswer
from tinker_mock.server.errors import BadRequest, Unprocessable
from tinker_mock.server.service.bases import base_of
from tinker_mock.server.tokenizers import INSTALL, text_is_installed, tokenizer_for
from tinker_mock.server.wire.exchange import Answer, Exchange


async def add_script(control: MockControl, exchange: Exchange) -> Answer:
    body = exchange.body
    base = base_of(control.backend, body["model"])
    completion = list(body.get("completion_tokens") or _encode(control, exchange, body))
    if body.get("end_turn", True) and base.end_tokens:
        completion.append(base.end_tokens[0])
    pattern = body.get("pattern") or tuple(body["pattern_tokens"])
    try:
        answer = ScriptedAnswer(pattern, tuple(completion), body.get("probability", 0.999))
        base.scripted_answers.add(answer)
    except EngineError as error:
        raise Unprocessable(
            f"{error.field}: {error.rule}", pointer=f"/{error.field}", fix=error.fix
        ) from None
    described = {"model": base.name, "completion_tokens": completion, **body}
    control.scripts.append(described)
    return Answer(201, described)


def _encode(control: MockControl, exchange: Exchange, body: dict[str, Any]) -> list[int]:
    """Token ids of the completion text; raises BadRequest where no tokenizer is at hand."""
    tokenizer = tokenizer_for(control.backend.catalog.get(body["model"]))
    if tokenizer is None:
        raise BadRequest(
            f"completion: the tokenizer of {body['model']} is not on this machine",
            pointer="/completion",
            rule="text completions need the model's tokenizer",
            fix="send completion_tokens instead"
            + ("" if text_is_installed() else f", or {INSTALL}"),
        )
    return list(tokenizer.encode(body["completion"]))


async def list_scripts(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"scripts": list(control.scripts)}


async def clear_scripts(control: MockControl, exchange: Exchange) -> None:
    control.clear_scripts()
