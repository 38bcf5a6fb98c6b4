"""Answers and results held to the contract, whoever gave them: breaches are noted and logged."""

import logging
from typing import TYPE_CHECKING, Any

import orjson

from tinker_mock.contracts import Contract, Operation, Violation
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.wire.exchange import IN_THREAD, JSON, Answer, Exchange

if TYPE_CHECKING:
    from tinker_mock.server.http import json_pieces
else:
    json_pieces = LazyModule("tinker_mock.server.http.json_pieces")

log = logging.getLogger(__name__)
NO_BODY = (204, 304)


async def judge_answer(
    exchange: Exchange, answer: Answer, contract: Contract, compute: Compute
) -> None:
    """Fill in `exchange.response_violations`.

    The result that a poll gives is judged as the `x-result` of the operation it is of.
    """
    operation = exchange.operation
    if operation is None or exchange.injected:
        return
    if answer.stream is not None or answer.status in NO_BODY:
        return
    promised = contract.operations.get(exchange.result_of)
    if len(answer.encoded()) < IN_THREAD:
        found = _violations(operation, answer, promised)
    else:
        found = await compute(_violations, operation, answer, promised, True)
    exchange.response_violations = found
    for violation in found:
        log.error("%s was answered out of contract: %s", operation.id, violation)


def _violations(
    operation: Operation, answer: Answer, promised: Operation | None, large: bool = False
) -> list[Violation]:
    kind = answer.content_type.split(";")[0].strip().lower()
    # Judged as a client will read it: arrays are lists by then, and keys are text.
    body: Any = answer.encoded()
    if answer.plain and b"null" not in body:
        body = answer.body
    elif kind == JSON:
        try:
            body = json_pieces.load_pieces(body, len(body)) if large else orjson.loads(body)
        except ValueError:
            body = None
    found = operation.check_response(answer.status, body, kind)
    if promised is not None and kind == JSON and answer.status == 200 and _is_result(body):
        found = [*found, *promised.check_result(body)]
    return found


def _is_result(body: Any) -> bool:
    """Neither pending, nor failed, nor an announcement of what the next poll will get."""
    if not isinstance(body, dict):
        return True
    pending = body.get("type") == "try_again"
    return not (pending or "error" in body or body.get("status") == "complete_metadata")
