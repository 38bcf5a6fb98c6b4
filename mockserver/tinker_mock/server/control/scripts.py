"""Scripted answers of the engine's base models."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.errors import BadRequest, Unprocessable
from tinker_mock.server.http.exchange import Answer


async def add_script(call: Call) -> Answer:
    from tinker_mock.server.engine import EngineError
    from tinker_mock.server.engine.model.scripted_answers import Script

    body = call.body
    base = call.simulator.base(body["model"])
    completion = list(body.get("completion_tokens") or _encode(call, body))
    if body.get("end_turn", True) and base.end_tokens:
        completion.append(base.end_tokens[0])
    pattern = body.get("pattern") or tuple(body["pattern_tokens"])
    try:
        script = Script(pattern, tuple(completion), body.get("probability", 0.999))
        base.scripts.add(script)
    except EngineError as error:
        raise Unprocessable(
            f"{error.field}: {error.rule}", pointer=f"/{error.field}", fix=error.fix
        ) from None
    told = {"model": base.name, "completion_tokens": completion, **body}
    call.director.scripts.append(told)
    return done(told, 201)


def _encode(call: Call, body: dict[str, Any]) -> list[int]:
    """Token ids of the completion text; raises BadRequest where no tokenizer is at hand."""
    from tinker_mock.server.text.tokenizers import INSTALL, text_is_installed, tokenizer_for

    tokenizer = tokenizer_for(call.simulator.catalog.get(body["model"]))
    if tokenizer is None:
        raise BadRequest(
            f"completion: the tokenizer of {body['model']} is not on this machine",
            pointer="/completion",
            rule="text completions need the model's tokenizer",
            fix="send completion_tokens instead"
            + ("" if text_is_installed() else f", or {INSTALL}"),
        )
    return list(tokenizer.encode(body["completion"]))


async def list_scripts(call: Call) -> Answer:
    return done({"scripts": list(call.director.scripts)})


async def clear_scripts(call: Call) -> Answer:
    call.director.clear_scripts()
    return done()


HANDLERS: dict[str, Handler] = {
    "add_script": add_script,
    "list_scripts": list_scripts,
    "clear_scripts": clear_scripts,
}
