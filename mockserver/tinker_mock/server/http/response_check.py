"""The mock's own answers, held to the contract: breaches are journalled and logged."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import orjson

from tinker_mock.server.http.bodies import IN_THREAD
from tinker_mock.server.wire.exchange import JSON, Answer, Exchange

if TYPE_CHECKING:
    from tinker_mock.contracts import Violation

log = logging.getLogger(__name__)


async def judge_answer(exchange: Exchange, answer: Answer) -> None:
    """Fill in `exchange.response_violations`; a poll's result is judged as its operation's."""
    operation = exchange.operation
    if operation is None or exchange.notes.get("injected"):
        return
    if answer.stream is not None or answer.body is None or answer.content_type != JSON:
        return
    if len(answer.encoded()) < IN_THREAD:
        exchange.response_violations = _violations(exchange, answer)
    else:
        found = await asyncio.to_thread(_violations, exchange, answer)
        exchange.response_violations = found
    for violation in exchange.response_violations:
        log.error("%s answered out of contract: %s", operation.id, violation)


def _violations(exchange: Exchange, answer: Answer) -> list[Violation]:
    assert exchange.operation is not None
    # Judged as a client will read it: arrays are lists by then, and keys are text.
    body = orjson.loads(answer.encoded())
    found = exchange.operation.check_response(answer.status, body)
    promised = exchange.notes.get("result_of")
    if promised is not None and answer.status == 200:
        contract = exchange.simulator.contract.operations[promised]
        found = [*found, *contract.check_result(body)]
    return found
