"""Submitting work and waiting for it, in JSON or protobuf as the target's releases do."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import orjson

from tinker_mock.contracts import load_contract
from tinker_mock.contracts.pointer import PointerError, look_up
from tinker_mock.suite.core.http import RecordingClient, Reply
from tinker_mock.suite.core.proto import decode_result, encode_forward_backward
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Lacking, NoAnswer, expect

PROTOBUF = "application/x-protobuf"
IDLE = threading.Event()
PAUSE = 0.05
"""Seconds between polls of a server that answers at once that there is nothing yet."""


@dataclass(frozen=True)
class Outcome:
    """What a promise became: a JSON-shaped result, or how it failed."""

    reply: Reply
    value: Any
    failed: bool = False

    def at(self, pointer: str) -> Any:
        """The value at a pointer into the result; Unmet if the promise failed or has no such."""
        if self.failed:
            raise self.failure("the operation succeeds")
        try:
            return look_up(self.value, pointer)
        except PointerError as error:
            message = f"the result has {pointer}"
            lacks = Lacking(message, pointer, self.value, operation=self.reply.operation)
            lacks.cause = f"{self.asked}: {message}"
            raise lacks from error

    @property
    def asked(self) -> str:
        """Of which kind of operation this is the result."""
        return self.reply.exchange.request_headers.get("x-tinker-request-type", "")

    def failure(self, message: str, operation: str = "") -> Lacking:
        """That an operation has no result, and why."""
        operation = operation or self.reply.operation
        told = self.reply.reason
        return Lacking(message, "a result", self.reply.text, told, operation=operation)

    @property
    def error(self) -> str:
        """What the server said went wrong."""
        return self.reply.text


@dataclass(frozen=True)
class Promised:
    """An accepted (or refused) submission."""

    context: "Submitting"
    operation: str
    reply: Reply

    @property
    def request_id(self) -> str:
        """The promise's id; Unmet if the submission was refused."""
        return str(self.reply.require().at("/request_id"))

    def poll(self, timeout: float | None = None, **fields: Any) -> Reply:
        """Ask once for the result."""
        return self.context.poll(self.request_id, self.operation, timeout=timeout, **fields)

    def outcome(self, patience: float | None = None) -> Outcome:
        """Wait for the end; refusals at submission count as a failed outcome."""
        if not 200 <= self.reply.status < 300:
            return Outcome(self.reply, None, failed=True)
        return self.context.wait(self.request_id, self.operation, patience)

    def result(self, patience: float | None = None) -> Outcome:
        """Wait for success; Unmet if the promise fails."""
        outcome = self.outcome(patience)
        if outcome.failed:
            raise outcome.failure(f"{self.operation} succeeds", self.operation)
        return outcome


class Submitting:
    """Submit and wait; mixed into ScenarioContext, which supplies `client` and `target`."""

    client: RecordingClient
    target: Target

    def submit(
        self, operation: str, body: Any, *, wrong: bool = False, timeout: float | None = None
    ) -> Promised:
        """Post an operation that answers with a promise."""
        if operation in ("forward", "forward_backward") and self.target.speaks_protobuf:
            content = encode_forward_backward(body, forward_only=operation == "forward")
            reply = self.client.call(
                "forward_backward", headers={"content-type": PROTOBUF}, content=content,
                wrong=wrong, timeout=timeout,
            )  # fmt: skip
        else:
            reply = self.client.call(operation, body, wrong=wrong, timeout=timeout)
        return Promised(self, operation, reply)

    def poll(
        self, request_id: str, operation: str, *, timeout: float | None = None, **fields: Any
    ) -> Reply:
        """One retrieve_future; waits as long as the target may hold it."""
        polled = load_contract("tinker").operations[operation]
        headers = {"x-tinker-request-type": polled.polled_as}
        if polled.binary_result and self.target.speaks_protobuf:
            headers["accept"] = PROTOBUF
        body = {"request_id": request_id, **fields}
        patience = self.target.long_poll if timeout is None else timeout
        return self.client.call("retrieve_future", body, headers=headers, timeout=patience)

    def wait(self, request_id: str, operation: str, patience: float | None = None) -> Outcome:
        """Poll until the promise is decided.

        Unmet when `patience` (seconds) runs out. Without any, a run with a budget has as much as is
        left of that (OutOfTime), and other runs as long as a poll may be held.
        """
        hurried = patience is not None or self.client.deadline is None
        limit = time.monotonic() + (patience or self.target.long_poll)
        while True:
            try:
                reply = self.poll(request_id, operation)
            except NoAnswer:
                if hurried:
                    raise
                continue  # as clients do; whether a poll may be held so long is asked elsewhere
            if not pending(reply):
                outcome = settle(reply, operation)
                if not outcome.failed and reply.media_type == "application/json":
                    self.client.judge_result(operation, reply, outcome.value)
                return outcome
            late = hurried and time.monotonic() >= limit
            expect(not late, f"{operation} is decided in time", "a result", reply.text)
            if reply.elapsed < 0.05:
                IDLE.wait(PAUSE)


def pending(reply: Reply) -> bool:
    """Whether this answer asks the client to try again."""
    if reply.status == 408:
        return True
    if reply.status != 200 or reply.media_type != "application/json":
        return False
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.get("type") == "try_again"


def settle(reply: Reply, operation: str) -> Outcome:
    """Read a final answer as an SDK would."""
    if reply.status >= 300:
        return Outcome(reply, None, failed=True)
    if reply.media_type == PROTOBUF:
        return Outcome(reply, decode_result(reply.body, operation))
    value = reply.json()
    return Outcome(reply, value, failed=isinstance(value, dict) and "error" in value)
