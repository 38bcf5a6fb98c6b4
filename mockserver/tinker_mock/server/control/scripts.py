"""Scripted answers of the engine's base models."""

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.scripts import Added, ScriptFault, script_of
from tinker_mock.server.wire.exchange import Answer, Exchange


async def add_script(control: MockControl, exchange: Exchange) -> Answer:
    backend = control.backend

    def add() -> Added:
        return backend.scripts.add(script_of(exchange.body))

    try:
        added = await backend.compute(add)
    except ScriptFault as fault:
        pointer = "/" + fault.field.replace(".", "/").replace("[", "/").replace("]", "")
        raise Unprocessable(str(fault), pointer=pointer, rule=fault.rule, fix=fault.fix) from None
    told = [*added.warnings, *added.hints]
    return Answer(201, {**added.script.as_json(), **({"warnings": told} if told else {})})


async def list_scripts(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"scripts": await control.backend.compute(control.backend.scripts.listed)}


async def clear_scripts(control: MockControl, exchange: Exchange) -> None:
    control.backend.scripts.clear()
