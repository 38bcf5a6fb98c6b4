"""Settings of a single call, for the types' sake: this client's own are in `ClientOptions`."""

from collections.abc import Mapping
from typing import Any, TypedDict

from httpx import Timeout

__all__ = ["ExperimentalWarning", "RequestOptions", "Timeout"]


class ExperimentalWarning(FutureWarning):
    """Something that may change or go in any release. Here nothing warns so."""


class RequestOptions(TypedDict, total=False):
    """What one request may be told."""

    headers: Mapping[str, str]
    max_retries: int
    timeout: float | Timeout | None
    params: Mapping[str, object]
    extra_json: Mapping[str, Any]
    idempotency_key: str
    follow_redirects: bool
