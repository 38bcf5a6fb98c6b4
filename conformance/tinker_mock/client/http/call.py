"""A request and its answer, before and after HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from tinker_mock.client.elixir.forms import FileTypes
from tinker_mock.client.errors import Category, ValidationError

PoolKind = Literal["session", "training", "sampling", "futures", "telemetry", "rest"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the client means it. `None` limits mean the config's.

    `json` is encoded with orjson; with `files` it becomes a form;
    `content` is sent as it is (protobuf).
    `timeout` is seconds for one attempt; `idempotency_key` stays the same over all attempts and
    is made up when not given; "" leaves it out.
    """

    method: str
    path: str
    json: Any = None
    files: Mapping[str, FileTypes] | None = None
    content: bytes | None = None
    content_type: str | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    max_retries: int | None = None
    idempotency_key: str | None = None
    accept: str = "application/json"
    pool: PoolKind = "rest"
    follow_redirects: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status below 400. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The decoded body; an empty one is `{}`. Raises `ValidationError` if it is not JSON."""
        if not self.content.strip():
            return {}
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError as error:
            raise ValidationError(
                f"JSON decode error in a {self.status} answer: {error}", category=Category.USER
            ) from None
