"""Plain HTTP requests, each one recorded and held against the contract."""

import re
import shlex
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import httpx
import orjson

from tinker_mock.client.http.sse import SseDecoder
from tinker_mock.contracts import Operation, load_contract
from tinker_mock.contracts.pointer import PointerError, look_up
from tinker_mock.suite.core.deadline import Deadline
from tinker_mock.suite.core.verdict import Lacking, NoAnswer, OutOfTime, Unmet, shown

SECRET_HEADERS = ("x-api-key", "authorization", "cf-access-client-secret")
SHOWN_HEADERS = ("content-type", "accept", "location", "retry-after", "x-should-retry", "expires")
BODY_LIMIT = 2000


@dataclass(frozen=True)
class Reply:
    """An answer; accessors raise Unmet, so that a wrong shape is a finding and not a crash."""

    status: int
    headers: httpx.Headers
    body: bytes
    elapsed: float
    name: str
    exchange: "Exchange"

    @property
    def media_type(self) -> str:
        """Content type without parameters, lower case."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def operation(self) -> str:
        """The contract's name of what was asked."""
        return self.exchange.operation.id if self.exchange.operation else ""

    @property
    def reason(self) -> str:
        """Why it is no success, as the server says; a conflict's reason is in what went before."""
        return "" if self.status == 409 else self.text

    def json(self) -> Any:
        """The parsed JSON body."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            actual = shown(repr(self.body))
            message = f"{self.name}: the body is JSON"
            raise Lacking(message, "JSON", actual, whole=True, operation=self.operation) from error

    def at(self, pointer: str) -> Any:
        """The value at a JSON pointer."""
        value = self.json()
        try:
            return look_up(value, pointer)
        except PointerError as error:
            message = f"{self.name}: the body has {pointer}"
            raise Lacking(
                message, pointer, shown(value), whole=True, operation=self.operation
            ) from error

    def require(self, *statuses: int) -> "Reply":
        """Itself, or Unmet if the status is none of these (default: any 2xx)."""
        allowed = self.status in statuses if statuses else 200 <= self.status < 300
        if not allowed:
            wanted = " or ".join(map(str, statuses)) or "2xx"
            actual = f"{self.status} {shown(self.text, 300)}"
            message = f"{self.name} answers {wanted}"
            if any(status >= 300 for status in statuses):
                raise Unmet(message, wanted, actual)
            raise Lacking(message, wanted, actual, self.reason, operation=self.operation)
        return self

    def events(self) -> list[str]:
        """The data of each server-sent event."""
        return event_data(self.body)

    @property
    def text(self) -> str:
        """The body as text, undecodable bytes replaced."""
        return self.body.decode("utf-8", "replace")


@dataclass
class Exchange:
    """One exchange as it went over the wire."""

    started: float
    method: str
    path: str
    request_headers: dict[str, str]
    request_body: bytes
    operation: Operation | None = None
    status: int = 0
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: bytes = b""
    elapsed: float = 0.0
    fault: str = ""
    blame_target: list[str] = field(default_factory=list)
    blame_suite: list[str] = field(default_factory=list)

    def as_trace(self, origin: float) -> dict[str, Any]:
        """The form that reports show; secrets are already gone."""
        return {
            "t_ms": round((self.started - origin) * 1000, 1),
            "took_ms": round(self.elapsed * 1000, 1),
            "request": f"{self.method} {self.path}",
            "request_headers": self.request_headers,
            "request_body": readable(self.request_body),
            "status": self.status or self.fault,
            "response_headers": self.response_headers,
            "response_body": readable(self.response_body),
        }

    def as_curl(self, base_url: str) -> str:
        """A command line that repeats the request; the key is taken from the environment."""
        words = ["curl", "-sS", "-i", "-X", self.method, shlex.quote(base_url + self.path)]
        for name, value in self.request_headers.items():
            value = '"$TINKER_API_KEY"' if value == "(secret)" else shlex.quote(value)
            words += ["-H", f"{name}:{value}"]
        if self.request_body:
            try:
                words += ["--data-binary", shlex.quote(self.request_body.decode())]
            except UnicodeDecodeError:
                data = self.request_body.hex()
                return f"echo {data} | xxd -r -p | {' '.join(words)} --data-binary @-"
        return " ".join(words)


def readable(body: bytes) -> str:
    """A body for people: text, or a hex dump of what is not text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = f"({len(body)} bytes) {body[:200].hex(' ')}"
    return text if len(text) <= BODY_LIMIT else f"{text[:BODY_LIMIT]}… ({len(body)} bytes)"


class Routes:
    """Which contract operation a method and path belong to."""

    def __init__(self, *contracts: str) -> None:
        self.operations: dict[str, Operation] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Operation]] = []
        for contract in contracts:
            try:
                load_contract(contract)
            except FileNotFoundError:
                continue
            for operation in load_contract(contract).operations.values():
                self.operations[operation.id] = operation
                places = [(operation.method, operation.path)]
                places += [(alias.method, alias.path) for alias in operation.aliases]
                for method, path in places:
                    pattern = re.escape(path).replace(r"\{tinker_path\}", ".+")
                    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
                    self._patterns.append((method, re.compile(pattern), operation))
        self._patterns.sort(key=lambda entry: entry[1].pattern.count("[^/]+"))

    def match(self, method: str, path: str) -> Operation | None:
        """The operation, or None for a path outside the contract."""
        for verb, pattern, operation in self._patterns:
            if verb == method and pattern.fullmatch(path):
                return operation
        return None


@cache
def trusted() -> ssl.SSLContext:
    """The machine's certificate authorities; loading them is what makes a client slow to build."""
    return httpx.create_ssl_context()


class RecordingClient:
    """A thread-safe HTTP client that keeps every exchange and its contract verdicts."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        routes: Routes,
        timeout: float,
        deadline: Deadline | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = dict(headers)
        self.routes = routes
        self.origin = time.monotonic()
        self.exchanges: list[Exchange] = []
        self.timeout, self.deadline = timeout, deadline
        self._lock = threading.Lock()
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=8)
        self._client = httpx.Client(
            timeout=timeout, limits=limits, trust_env=False, verify=trusted()
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def call(
        self,
        operation: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
        wrong: bool = False,
    ) -> Reply:
        """Call a contract operation; `wrong` says that the request is malformed on purpose."""
        known = self.routes.operations[operation]
        url = known.path
        for name, value in (path or {}).items():
            url = url.replace("{" + name + "}", value)
        return self.request(
            known.method.upper(), url, body,
            query=query, headers=headers, content=content, timeout=timeout, wrong=wrong,
        )  # fmt: skip

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
        wrong: bool = False,
    ) -> Reply:
        """Send one request; raises Unmet if no answer comes within the timeout (seconds).

        Raises OutOfTime once the deadline is over.
        """
        if self.deadline is not None:
            left = self.deadline.left()
            if left <= 0:
                raise self.out_of_time(self.deadline)
            timeout = min(self.timeout if timeout is None else timeout, left)
        merged: dict[str, str | None] = {**self.headers, **(headers or {})}
        final = {name: value for name, value in merged.items() if value is not None}
        if content is None and body is not None:
            content = orjson.dumps(body)
        if content is not None and not any(name.lower() == "content-type" for name in final):
            final["content-type"] = "application/json"
        target = f"{path}?{httpx.QueryParams(dict(query))}" if query else path
        exchange = Exchange(time.monotonic(), method, target, redacted(final), content or b"")
        exchange.operation = self.routes.match(method, path)
        with self._lock:
            self.exchanges.append(exchange)
        name = exchange.operation.id if exchange.operation else f"{method} {path}"
        return self._exchange(exchange, name, final, content, timeout, wrong)

    def _exchange(
        self,
        exchange: Exchange,
        name: str,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float | None,
        wrong: bool,
    ) -> Reply:
        options: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        try:
            answer = self._send(exchange, headers, content, options)
        except httpx.HTTPError as error:
            exchange.elapsed = time.monotonic() - exchange.started
            exchange.fault = f"{type(error).__name__}: {error}"
            if self.deadline is not None and self.deadline.left() <= 0:
                raise self.out_of_time(self.deadline) from error
            if isinstance(error, httpx.ConnectError):
                gone = "the server takes connections"
                raise Lacking(gone, "a connection", exchange.fault, whole=True) from error
            kind = NoAnswer if isinstance(error, httpx.TimeoutException) else Unmet
            raise kind(f"{name} answers", "an HTTP answer", exchange.fault) from error
        exchange.elapsed = time.monotonic() - exchange.started
        exchange.status = answer.status_code
        exchange.response_headers = {
            key: value for key, value in answer.headers.items() if key in SHOWN_HEADERS
        }
        exchange.response_body = answer.content
        self._judge(exchange, wrong)
        return Reply(
            answer.status_code, answer.headers, answer.content, exchange.elapsed, name, exchange
        )

    def _send(
        self,
        exchange: Exchange,
        headers: dict[str, str],
        content: bytes | None,
        options: dict[str, Any],
    ) -> httpx.Response:
        url = self.base_url + exchange.path
        try:
            return self._client.request(
                exchange.method, url, headers=headers, content=content, **options
            )
        except (httpx.ReadError, httpx.RemoteProtocolError):
            # A kept connection that the server closed meanwhile; every client tries once more.
            return self._client.request(
                exchange.method, url, headers=headers, content=content, **options
            )

    def out_of_time(self, deadline: Deadline) -> OutOfTime:
        """Why nothing more is asked, with the answer that took longest."""
        with self._lock:
            slowest = max(self.exchanges, key=lambda one: one.elapsed, default=None)
        waited = ""
        if slowest is not None and slowest.operation and slowest.elapsed >= 1.0:
            asked = slowest.request_headers.get("x-tinker-request-type", "")
            name = slowest.operation.id + (f" of {asked}" if asked else "")
            waited = f"; {name} took {slowest.elapsed:.0f} s"
        return OutOfTime(f"{deadline.over}{waited}")

    def judge_result(self, operation: str, reply: Reply, value: Any) -> None:
        """Hold a promise's result against the contract of the operation that was submitted."""
        known = self.routes.operations[operation]
        found = known.check_result(value)
        faults = [f"result {v.pointer or '/'} {v.rule}: {v.message}" for v in found]
        with self._lock:
            self.exchanges.append(replace(reply.exchange, operation=known, blame_target=faults))

    def _judge(self, exchange: Exchange, wrong: bool) -> None:
        operation = exchange.operation
        if operation is None:
            return
        media_type = exchange.response_headers.get("content-type", "application/json")
        body, problem = decoded(exchange.response_body, media_type)
        if problem and exchange.status < 400:
            exchange.blame_target.append(problem)
        elif exchange.response_body and media_type.startswith("application/json"):
            exchange.blame_target += contract_violations(operation, exchange.status, body)
        if not wrong and exchange.request_body:
            kind = exchange.request_headers.get("content-type", "application/json")
            if kind == "application/json":
                found = operation.check_request(orjson.loads(exchange.request_body))
                own = [v for v in found if not self._given_out(v.actual, exchange)]
                exchange.blame_suite += [f"{v.pointer or '/'} {v.rule}: {v.message}" for v in own]

    def _given_out(self, value: Any, now: Exchange) -> bool:
        """Whether the target itself gave out this value: sending it back is not our fault."""
        if not isinstance(value, str) or not value:
            return False
        raw = value.encode()
        with self._lock:
            earlier = [one for one in self.exchanges if one is not now and one.status < 400]
            return any(raw in one.response_body for one in earlier)


def contract_violations(operation: Operation, status: int, body: Any) -> list[str]:
    """How an answer breaks the contract. Any 2xx counts as 200; refusals may have any shape."""
    declared = status if str(status) in operation.responses else 200 if status < 300 else 0
    if not declared or (status >= 400 and status != 408):
        return []
    found = operation.check_response(declared, body)
    return [f"{v.pointer or '/'} {v.rule}: {v.message}" for v in found]


def decoded(body: bytes, media_type: str) -> tuple[Any, str]:
    """The parsed body, and what is wrong with it if it claims to be JSON and is not."""
    if not body or not media_type.startswith("application/json"):
        return None, ""
    try:
        return orjson.loads(body), ""
    except orjson.JSONDecodeError as error:
        return None, f"the body is not the JSON that its content type promises: {error}"


def event_data(body: bytes) -> list[str]:
    """The data of each server-sent event of a whole stream, also of one that the end cut off."""
    return [event.data for event in SseDecoder().feed(body + b"\n\n")]


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers worth showing, with secrets replaced."""
    return {
        name: "(secret)" if name.lower() in SECRET_HEADERS else value
        for name, value in headers.items()
    }
