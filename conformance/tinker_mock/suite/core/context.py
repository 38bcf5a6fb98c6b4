"""What a scenario acts on: the wire, the check being made, and things set up for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from tinker_mock.contracts.ledger import Requirement
from tinker_mock.suite.core.deadline import cleaning_until, deadline_of
from tinker_mock.suite.core.http import RecordingClient, Routes
from tinker_mock.suite.core.promises import Promised, Submitting
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import (
    Inapplicable,
    Lacking,
    OutOfTime,
    Status,
    Unmet,
    Verdict,
    expect_all_close,
    judging,
)

KINDS = ("weights", "sampler_weights", "external_weights")
UNLOADING = 25
"""The last minor release with unload_model; from then on models end with their session."""


class ScenarioContext(Submitting):
    """One scenario's view of a target. Everything it creates is cleaned up at the end."""

    def __init__(
        self, target: Target, routes: Routes, checks: Mapping[str, Requirement], scenario: str
    ) -> None:
        self.target = target
        self.scenario = scenario
        self.client = RecordingClient(
            target.url, target.headers(), routes, target.timeout, deadline_of(target)
        )
        self.verdicts: dict[str, Verdict] = {}
        self._checks = checks
        self._sessions: list[str] = []
        self._leftovers: list[Callable[[], object]] = []
        self._unload: dict[str, Callable[[], object]] = {}
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="suite")
        self._sampling_counters: dict[str, int] = {}
        self._model_counters: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self.base_model = target.base_model

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """Judge the block: Unmet is the target's failure, anything else is the suite's own."""
        if name not in self._checks:
            raise KeyError(f"check {name} is not one of scenario {self.scenario}")
        mark = len(self.client.exchanges)
        verdict = Verdict(name, self._checks[name], Status.PASS, scenario=self.scenario)
        with judging(verdict):
            yield
        if verdict.status is Status.ERROR and (over := self.over()):
            verdict.status, verdict.message = Status.NOT_JUDGED, over
        if verdict.status not in (Status.PASS, Status.NOT_APPLICABLE):
            ended_at = verdict.ended_at
            self.attach_trace(verdict, mark)
            verdict.ended_at = ended_at or verdict.ended_at
        previous = self.verdicts.get(name)
        if previous is None or previous.status is Status.PASS:
            self.verdicts[name] = verdict

    def over(self) -> str:
        """Why nothing more is asked; empty while there is time."""
        deadline = self.client.deadline
        late = deadline is not None and deadline.left() <= 0
        return str(self.client.out_of_time(deadline)) if deadline and late else ""

    def attach_trace(self, verdict: Verdict, mark: int, end: int | None = None) -> None:
        """Give a verdict the last exchanges between two marks, or those before them."""
        exchanges = self.client.exchanges[mark:end] or self.client.exchanges[:end][-3:]
        verdict.trace = [one.as_trace(self.client.origin) for one in exchanges[-8:]]
        verdict.timeouts = [one.started for one in exchanges if "Timeout" in one.fault]
        if exchanges:
            verdict.curl = exchanges[-1].as_curl(self.client.base_url)
            last = exchanges[-1].operation
            verdict.ended_at = last.id if last else ""

    def applies(self, name: str) -> bool:
        """Whether a check is about a release that the target claims; ask before newer fields."""
        return self.target.applies(self._checks[name])

    def flag(self, name: str) -> bool:
        """Whether the server switches on a flag of client/config; without one it is off."""
        reply = self.client.call("get_client_config", {"sdk_version": self.target.release})
        value = reply.json() if reply.status == 200 else {}
        return isinstance(value, dict) and value.get(name) is True

    def alike(self, actual: Sequence[float], expected: Sequence[float], message: str) -> None:
        """Unmet unless two lists of log-probabilities are equal in what the server computes in."""
        expect_all_close(actual, expected, self.target.nats, message)

    def number(self, model: str) -> int:
        """The model's next seq_id."""
        self._numbers[model] = self._numbers.get(model, 0) + 1
        return self._numbers[model]

    def give_back(self, model: str) -> None:
        """The last number is free again: its operation was refused at once."""
        self._numbers[model] -= 1

    def aside(self, action: Callable[[], Any]) -> "Future[Any]":
        """Run an action in a thread, for requests that wait while others are made."""
        return self._threads.submit(action)

    def other_tenant(self) -> RecordingClient:
        """The wire with another tenant's key; Inapplicable when only one is known."""
        if not self.target.other_key:
            raise Inapplicable("no second tenant's key was given (--other-key)")
        headers = {**self.target.headers(), "x-api-key": self.target.other_key}
        client = RecordingClient(
            self.target.url, headers, self.client.routes, self.target.timeout, self.client.deadline
        )
        self._leftovers.append(client.close)
        return client

    def session(self, **fields: Any) -> str:
        """A new session's id."""
        body = {
            "tags": ["conformance"],
            "user_metadata": {},
            "sdk_version": self.target.release,
            "type": "create_session",
        }
        reply = self.client.call("create_session", {**body, **fields}).require()
        session_id = str(reply.at("/session_id"))
        self._sessions.append(session_id)
        return session_id

    def named_model(self) -> str:
        """The base model to use: the one asked for, or the first that the server lets train."""
        if not self.base_model:
            reply = self.client.call("get_server_capabilities").require()
            try:
                offered = reply.at("/supported_models")
                first = next((n for n, one in enumerate(offered) if _can_be_trained(one)), 0)
                self.base_model = str(reply.at(f"/supported_models/{first}/model_name"))
            except Unmet as unmet:
                message = "the server names a model (or --model does)"
                raise Lacking(message, unmet.expected, unmet.actual, whole=True) from unmet
        return self.base_model

    def next_model(self, session: str) -> int:
        """The session's next model_seq_id."""
        number = self._model_counters.get(session, 0)
        self._model_counters[session] = number + 1
        return number

    def next_sampler(self, session: str) -> int:
        """The session's next sampling_session_seq_id."""
        number = self._sampling_counters.get(session, 0)
        self._sampling_counters[session] = number + 1
        return number

    def create_model(self, session: str, wrong: bool = False, **fields: Any) -> Promised:
        """Submit create_model."""
        body = {
            "session_id": session,
            "model_seq_id": self.next_model(session),
            "base_model": self.named_model(),
            "lora_config": {"rank": 8, "seed": 1},
            "type": "create_model",
        }
        return self.submit("create_model", {**body, **fields}, wrong=wrong)

    def model(self, session: str | None = None, **fields: Any) -> str:
        """A new model's id, ready to train."""
        created = self.create_model(session or self.session(), **fields)
        model = str(created.result().at("/model_id"))
        if self.target.minor <= UNLOADING:
            body = {"model_id": model, "type": "unload_model"}
            self._unload[model] = lambda: self.client.call("unload_model", body, timeout=3.0)
            self.later(self._unload[model])
        return model

    def done_with(self, model: str) -> None:
        """Unload a model before the end, where that can be done: servers hold only so many."""
        if action := self._unload.pop(model, None):
            self._leftovers.remove(action)
            with suppress(Unmet):
                action()

    def sampler(self, session: str | None = None, path: str | None = None) -> str:
        """A new sampling session's id, for the base model or a checkpoint's path."""
        session = session or self.session()
        origin = {"model_path": path} if path else {"base_model": self.named_model()}
        body = {
            "session_id": session,
            "sampling_session_seq_id": self.next_sampler(session),
            "type": "create_sampling_session",
            **origin,
        }
        reply = self.client.call("create_sampling_session", body).require()
        return str(reply.at("/sampling_session_id"))

    def later(self, action: Callable[[], object]) -> None:
        """Clean up with this when the scenario is over."""
        self._leftovers.append(action)

    def delete_checkpoint_later(self, path: str) -> None:
        """Delete a checkpoint made here when the scenario is over."""
        self.later(lambda: self.client.call("delete_checkpoint", path=place(path)))

    def finish(self) -> None:
        """Remove what was made, end the sessions, close the connections."""
        self.client.deadline = cleaning_until(self.target)
        for action in reversed(self._leftovers):
            with suppress(Unmet, OutOfTime):
                action()
        for session in self._sessions:
            with suppress(Unmet, OutOfTime, KeyError):
                body = {"reason": {"type": "success"}, "detail": None}
                self.client.call("finish_session", body, path={"session_id": session}, timeout=3.0)
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.client.close()

    def fetch(self, url: str) -> bytes:
        """The first bytes behind a URL that the server gave out: an adapter of a large model has
        gigabytes."""
        return next(self.fetched(url), b"")

    def fetched(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """What is behind a URL that the server gave out, asked for without credentials."""
        fetchable(url)
        try:
            with httpx.stream(
                "GET", url, headers=headers, timeout=self.target.timeout, trust_env=False
            ) as answer:
                if not answer.is_success:
                    raise Unmet("the URL answers 2xx", "2xx", answer.status_code)
                yield from answer.iter_bytes()
        except httpx.HTTPError as error:
            raise Unmet("the URL answers", "a file", f"{type(error).__name__}: {error}") from error


def _can_be_trained(offered: Any) -> bool:
    """What a server says of a model on offer; those that say nothing train it."""
    return not isinstance(offered, dict) or offered.get("trainable") is not False


def fetchable(url: str) -> None:
    """Unmet for a link that is no address on the web."""
    if not url.startswith(("http://", "https://")):
        message = "the link is a URL that clients can fetch"
        raise Lacking(message, "http://… or https://…", url, whole=True)


def place(path: str) -> dict[str, str]:
    """The path parameters of a checkpoint's operations; Unmet for a path no SDK accepts."""
    parts = path.removeprefix("tinker://").split("/")
    if not path.startswith("tinker://") or len(parts) != 3 or parts[1] not in KINDS:
        message = "clients can read the checkpoint's path"
        raise Lacking(message, "tinker://run/kind/name", path, whole=True)
    return dict(zip(("run_id", "kind", "name"), parts, strict=True))
