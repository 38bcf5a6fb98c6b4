"""Which conformance check the mock breaks on purpose."""

from __future__ import annotations

from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.mutants import ActiveMutants, MutantError
from tinker_mock.server.wire.exchange import Answer


async def put_mutant(call: Call) -> Answer:
    try:
        call.simulator.mutants = ActiveMutants(call.body["check"])
    except MutantError as error:
        raise Unprocessable(
            str(error), pointer="/check", rule="a mutant's id is the check that it breaks"
        ) from None
    return done({"check": call.body["check"]})


HANDLERS: dict[str, Handler] = {"put_mutant": put_mutant}
"""The one handler."""
