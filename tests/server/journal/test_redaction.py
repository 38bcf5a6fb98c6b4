"""No secret leaves the journal, wherever a client puts it, in whatever form it is exported."""

import base64
from collections.abc import Iterator

import httpx
import pytest

from tinker_mock.server.journal.redaction import redact, redact_headers, redact_query, redact_text
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

SECRET = "5up3r-s3cret-value"
HEADERS = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-key",
    "api-key",
    "x-csrf-token",
    "cf-access-client-secret",
    "x-tinker-mock-key",
    "x-tinker-weights-access-token",
]
PARAMETERS = ["signature", "sig", "api_key", "key", "token", "access_token", "X-Amz-Signature"]
FORMATS = ["har", "jsonl", "cassette"]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with (
        RunningServer(Settings(port=0)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client


def said(http: httpx.Client) -> list[str]:
    """Everything that the journal gives out."""
    exports = [http.get("/_mock/journal/export", params={"format": one}) for one in FORMATS]
    lists = [http.get("/_mock/journal"), http.get("/_mock/journal", params={"view": "line"})]
    return [answer.text for answer in [*exports, *lists, http.get("/_mock/journal/summary")]]


@pytest.mark.parametrize("header", HEADERS)
def test_headers(http: httpx.Client, header: str) -> None:
    http.get("/api/v1/sessions", headers={header: SECRET})
    assert not [text for text in said(http) if SECRET in text]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(http: httpx.Client, name: str) -> None:
    http.get("/api/v1/sessions", params={name: SECRET})
    assert not [text for text in said(http) if SECRET in text]


def test_paths_and_parameter_names(http: httpx.Client) -> None:
    http.get("/api/v1/sessions/tml-a-key-in-a-path")
    http.get("/api/v1/tml-another-one", params={"tml-as-a-name": "x"})
    for text in said(http):
        assert "tml-a" not in text


def test_telemetry(http: httpx.Client) -> None:
    key = {"X-API-Key": "tml-telemetry"}
    told = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
    session = http.post("/api/v1/create_session", json=told, headers=key).json()["session_id"]
    basic = base64.b64encode(f"user:{SECRET}".encode()).decode()
    event = {
        "event": "GENERIC_EVENT",
        "event_id": "1",
        "event_session_index": 0,
        "event_name": "request",
        "severity": "INFO",
        "timestamp": "2026-01-01T00:00:00Z",
        "event_data": {
            "headers": {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET},
            "line": f"GET /x Authorization: Bearer {SECRET}",
            "proxy": f"Proxy-Authorization: Basic {basic}",
            "config": f'{{"password": "{SECRET}", "x": 1}}',
            "password": SECRET,
            "url": f"https://x.example/?signature={SECRET}&access_token={SECRET}",
        },
    }
    batch = {
        "events": [event],
        "platform": "linux",
        "sdk_version": "0.38.0",
        "session_id": session,
    }
    answer = http.post("/api/v1/telemetry", json=batch, headers=key)
    assert answer.status_code == 200, answer.text
    for text in said(http):
        assert SECRET not in text
        assert basic not in text


def test_a_mark_tells_two_secrets_apart() -> None:
    one, other = redact_headers({"x-api-key": "a"}), redact_headers({"x-api-key": "b"})
    assert one != other
    assert one == redact_headers({"x-api-key": "a"})


def test_nothing_is_no_secret() -> None:
    """The thinking block of a stream begins with a signature of no characters."""
    assert redact({"type": "thinking", "signature": ""})["signature"] == ""


def test_what_is_no_secret_stays() -> None:
    body = {
        "target_tokens": {"data": [1, 2]},
        "token": " Hello",
        "max_tokens": 5,
        "tokenizer_id": "a/b",
        "top_logprobs": [{"token": "the", "logprob": -1.0}],
        "secretary": "x",
        "text": "a basic idea, the token: 5, max_tokens=7, a bearer of news",
    }
    assert redact(body) == body
    assert redact_query({"limit": 5, "model": "a/b", "after": "token"}) == {
        "limit": "5",
        "model": "a/b",
        "after": "token",
    }
    frame = 'event: token\ndata: {"token":" Hello","token_id":5}\n\n'
    assert redact_text(frame) == frame
