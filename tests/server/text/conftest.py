from collections.abc import Iterator
from typing import Any

import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings


@pytest.fixture(scope="session")
def text_mock() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, seed=3)) as server:
        yield server


@pytest.fixture(scope="session")
def openai_url(text_mock: RunningServer) -> str:
    return f"{text_mock.url}/oai/api/v1"


@pytest.fixture(scope="session")
def anthropic_url(text_mock: RunningServer) -> str:
    return f"{text_mock.url}/anthropic/api"


@pytest.fixture
def weather() -> dict[str, Any]:
    return {
        "name": "get_weather",
        "description": "Current weather in a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 1},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
                "unit": {"enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    }


@pytest.fixture
def stocks() -> dict[str, Any]:
    return {
        "name": "lookup_stock",
        "description": "Price of a share",
        "parameters": {
            "type": "object",
            "properties": {"symbol": {"type": "string", "maxLength": 5}},
            "required": ["symbol"],
        },
    }
