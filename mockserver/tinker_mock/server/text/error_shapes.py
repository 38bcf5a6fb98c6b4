"""Refusals in the shape of each text API.

The mock's own shape (`detail`, `error`) is translated here, for refusals of handlers, of the
contract, of authentication and of scenarios alike. The OpenAI-compatible endpoint answers
`{"detail": …}` and no error object: three witnesses saw that of the service. One of them saw 400
for a base model that is not on offer.
"""

from dataclasses import replace
from typing import Any

from tinker_mock.server.quirks import ActiveQuirks, Quirk
from tinker_mock.server.wire.exchange import Answer

OPENAI, ANTHROPIC = "/oai/api/", "/anthropic/api/"
NOT_ON_OFFER = "text/models/on-offer"
"""The rule that a base model which is not on offer breaks."""
MODELS = "/models/"
"""Where a model is asked for by name: one that is not there is not found."""
OPENAI_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("permission_error", "permission_denied"),
    404: ("invalid_request_error", "not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}
UNPROCESSABLE = ("/output_config", "/output_config/effort")
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def api_of(path: str) -> str | None:
    """Which text API a path belongs to."""
    return next((api for api in (OPENAI, ANTHROPIC) if api in path), None)


class ErrorShapes:
    """Refusals as the path's API tells them; anything else unchanged."""

    def __init__(self, quirks: ActiveQuirks) -> None:
        self.quirks = quirks

    def __call__(self, path: str, answer: Answer) -> Answer:
        api = api_of(path)
        if api is None or answer.status < 400 or not isinstance(answer.body, dict):
            return answer
        if "error" not in answer.body or "detail" not in answer.body:
            return answer
        error = answer.body["error"] if isinstance(answer.body["error"], dict) else {}
        detail = str(answer.body["detail"])
        status = status_in(api, answer.status, error)
        if api == OPENAI and Quirk.OPENAI_ERRORS not in self.quirks:
            if error.get("requirement") == NOT_ON_OFFER and MODELS not in path:
                status = 400
            return replace(answer, status=status, body={"detail": detail}, content=None)
        return replace(
            answer, status=status, body=error_body(api, status, detail, error), content=None
        )


def status_in(api: str, status: int, error: dict[str, Any]) -> int:
    """What breaks the contract is 400 there, except where the service was seen to say 422."""
    measured = api == ANTHROPIC and error.get("field") in UNPROCESSABLE
    return 400 if status == 422 and not measured else status


def error_body(api: str, status: int, message: str, error: dict[str, Any]) -> dict[str, Any]:
    """The error object of an API. `error` may carry `wire_code` and `field`, and
    `anthropic`, the details of an Anthropic error."""
    if api == ANTHROPIC:
        kind = ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else ANTHROPIC_TYPES[400])
        details = {"details": error["anthropic"]} if "anthropic" in error else {}
        return {"type": "error", "error": {"type": kind, "message": message, **details}}
    default = ("server_error", None) if status >= 500 else ("invalid_request_error", None)
    kind, code = OPENAI_TYPES.get(status, default)
    field = str(error.get("field") or "")
    param = field.strip("/").replace("/", ".") if field.startswith("/") else None
    code = error.get("wire_code", code)
    if status == 401:  # clients such as litellm know the refusal by these words
        message = f"Incorrect API key provided: {message}"
    return {"error": {"message": message, "type": kind, "param": param or None, "code": code}}
