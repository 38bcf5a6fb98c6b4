"""Every call that the official clients have: served, or 404 with a sentence that names it.

The service's documentation has messages and count_tokens, chat completions, completions and
models, and nothing else.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

KEY = "tml-text-tests"
VERBS = ("create", "list", "retrieve", "delete", "update", "cancel", "generate", "edit", "search")
SERVED = {
    "/models",
    "/completions",
    "/chat/completions",
    "/v1/models",
    "/v1/messages",
    "/v1/messages/count_tokens",
}


def resources(found: Any, seen: set[int], depth: int = 4) -> Iterator[Any]:
    """All groups of calls below a client, each once."""
    for name in dir(type(found)):
        if name.startswith("_") or name.startswith("with_"):
            continue
        try:
            inner = getattr(found, name)
        except Exception:  # groups that need another key, or a package that is not here
            continue
        kind = type(inner)
        if not kind.__module__.startswith(("openai.resources", "anthropic.resources")):
            continue
        if "With" in kind.__name__ or hash(kind) in seen or not depth:
            continue
        seen.add(hash(kind))
        yield inner
        yield from resources(inner, seen, depth - 1)


def filled(call: Any) -> tuple[list[Any], dict[str, Any]]:
    """Something for every argument that it must have."""
    parameters = inspect.signature(call).parameters.values()
    wanted = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    placed = [p for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p for p in wanted if p.kind is p.KEYWORD_ONLY]
    values = {"max_tokens": 1, "file": b"x", "image": b"x", "messages": [], "requests": []}
    return ["x" for _ in placed], {p.name: values.get(p.name, "x") for p in named}


def answers(client: Any) -> Iterator[tuple[str, int, str]]:
    """(path, status, what the client read) of every call that reaches the server."""
    for group in resources(client, set()):
        for verb in VERBS:
            call = getattr(group, verb, None)
            if call is None or not callable(call):
                continue
            try:
                placed, named = filled(call)
                call(*placed, **named)
            except (openai.APIStatusError, anthropic.APIStatusError) as error:
                path = re.sub(r"^/oai/api/v1|^/anthropic/api", "", error.request.url.path)
                yield path, error.status_code, str(error.body)
            except Exception:  # the client itself wants something else than "x"
                continue


def judged(client: Any) -> int:
    refused = set()
    for path, status, words in answers(client):
        if path in SERVED or path.startswith(("/models/", "/v1/models/")):
            assert status in (400, 404, 405), (path, words)
            continue
        assert status == 404, (path, status, words)
        assert "no operation is served at" in words, words
        assert path.split("/")[1] in words, words
        refused.add(path)
    return len(refused)


def test_openais(openai_url: str) -> None:
    with openai.OpenAI(
        api_key=KEY, admin_api_key=KEY, base_url=openai_url, max_retries=0, timeout=30
    ) as client:
        assert judged(client) > 60


def test_anthropics(anthropic_url: str) -> None:
    with anthropic.Anthropic(
        api_key=KEY, base_url=anthropic_url, max_retries=0, timeout=30
    ) as client:
        assert judged(client) > 40


def test_a_refusal_says_what_is_meant(openai_url: str, anthropic_url: str) -> None:
    with (
        openai.OpenAI(api_key=KEY, base_url=openai_url, max_retries=0) as client,
        pytest.raises(openai.NotFoundError) as refused,
    ):
        client.responses.create(model="Qwen/Qwen3-8B", input="hi")
    said: Any = refused.value.body
    assert said["detail"].startswith(
        "no operation is served at POST /oai/api/v1/responses (did you"
    )
    with (
        anthropic.Anthropic(api_key=KEY, base_url=anthropic_url, max_retries=0) as other,
        pytest.raises(anthropic.NotFoundError, match="no operation is served at GET") as missing,
    ):
        other.messages.batches.list()
    body: Any = missing.value.body
    assert body["error"]["type"] == "not_found_error"
