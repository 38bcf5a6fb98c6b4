"""Which conformance check the mock breaks on purpose."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.mutants import MutantError
from tinker_mock.server.wire.exchange import Exchange


async def put_mutant(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    try:
        control.mutants.break_check(exchange.body["check"])
    except MutantError as error:
        raise Unprocessable(
            str(error), pointer="/check", rule="a mutant's id is the check that it breaks"
        ) from None
    return {"check": exchange.body["check"]}
