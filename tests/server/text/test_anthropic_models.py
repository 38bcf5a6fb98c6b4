"""The models on offer as the official anthropic package asks for them."""

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.serving.in_thread import RunningServer

KEY = "tml-text-tests"


@pytest.fixture(scope="module")
def client(anthropic_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=anthropic_url, max_retries=0) as client:
        yield client


def names(models: Any) -> list[str]:
    return [model.id for model in models]


@pytest.mark.parametrize("limit", [1, 7, 20, 1000])
def test_pages_add_up_to_openais_list(
    client: anthropic.Anthropic, openai_url: str, limit: int
) -> None:
    found = names(client.models.list(limit=limit))
    headers = {"Authorization": f"Bearer {KEY}"}
    listed = httpx.get(f"{openai_url}/models", headers=headers, timeout=60).json()["data"]
    assert found == [model["id"] for model in listed]
    assert len(found) > 20


def test_pages_go_backwards_too(client: anthropic.Anthropic) -> None:
    every = names(client.models.list(limit=1000))
    page = client.models.list(limit=3, before_id=every[5])
    assert names(page.data) == every[2:5]
    assert page.has_more
    assert (page.first_id, page.last_id) == (every[2], every[4])
    assert names(page.get_next_page().data) == every[:2]
    first = client.models.list(limit=3, before_id=every[2])
    assert (names(first.data), first.has_more) == (every[:2], False)


def test_each_is_found_by_its_name(client: anthropic.Anthropic) -> None:
    catalog = Catalog.load()
    for listed in client.models.list(limit=4).data:
        model = client.models.retrieve(listed.id)
        assert model == listed
        row = catalog.get(listed.id)
        assert (model.type, model.lifecycle) == ("model", "active")
        assert (model.max_input_tokens, model.max_tokens) == (row.context_length,) * 2
        assert client.beta.models.retrieve(listed.id).id == listed.id
    with pytest.raises(anthropic.NotFoundError, match="did you mean"):
        client.models.retrieve("Qwen/Qwen3-9B")


def test_retired_models_are_told_when_asked_for(
    client: anthropic.Anthropic, text_mock: RunningServer
) -> None:
    retired = {m.id: m for m in client.models.list(limit=1000, lifecycle=["retired"])}
    dates = {
        name: row.retired for name, row in Catalog.load().models.items() if row.retired is not None
    }
    assert {name: m.retires_at.date() for name, m in retired.items() if m.retires_at} == dates
    assert {model.lifecycle for model in retired.values()} == {"retired"}
    active = names(client.models.list(limit=1000))
    both = names(client.models.list(limit=1000, lifecycle=["active", "retired"]))
    assert sorted(both) == sorted([*active, *retired])
    assert names(client.models.list(lifecycle=["deprecated"])) == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"after_id": "no/such"}, "after_id: no model on this list"),
        ({"before_id": "no/such"}, "before_id: no model on this list"),
        ({"lifecycle": ["gone"]}, "lifecycle"),
        ({"lifecycle": ["gone", "active"]}, "'gone' is no stage"),
    ],
)
def test_refusals_name_the_parameter(
    client: anthropic.Anthropic, query: dict[str, Any], words: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.models.list(**query)
