"""Keys, tokens in their place, and second clients on one sampling session."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.client.conftest import KEY, SESSION, ScriptedServer, config
from tinker_mock.client import (
    ApiStatusError,
    AsyncServiceClient,
    ClientConfig,
    ManualClock,
    ModelInput,
    ValidationError,
)
from tinker_mock.client.config import read_environment

pytestmark = pytest.mark.anyio


def a_token(name: str, expires: float) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'sub': name, 'exp': expires})}.x"


def jwt_server(tokens: list[str], **answers: Any) -> ScriptedServer:
    return ScriptedServer(
        {
            **SESSION,
            "client/config": {"pjwt_auth_enabled": True},
            "client/dynamic_config": {},
            "auth/token": [{"jwt": token} for token in tokens],
            "healthz": {"status": "ok"},
            **answers,
        }
    )


async def test_the_key_is_exchanged_for_a_token_that_is_renewed_in_time() -> None:
    clock = ManualClock()
    tokens = [a_token("one", clock.now() + 600), a_token("two", clock.now() + 6000)]
    server = jwt_server(tokens)
    async with AsyncServiceClient(config("python-latest"), http=server, clock=clock) as service:
        await service.connection.configure()
        await service.health()
        await clock.advance(530.0)
        await service.health()
        await clock.advance(20.0)
        await service.health()
    sent = [one.headers["x-api-key"] for one in server.requests if one.url.path.endswith("healthz")]
    assert sent == [tokens[0], tokens[0], tokens[1]]
    exchanges = [one for one in server.requests if one.url.path.endswith("auth/token")]
    assert {one.headers["x-api-key"] for one in exchanges} == {KEY}


async def test_a_refused_token_is_replaced_once() -> None:
    clock = ManualClock()
    tokens = [a_token(name, clock.now() + 6000) for name in ("one", "two", "three")]
    expired = {"www-authenticate": 'Bearer error="invalid_token"'}

    def health(request: httpx.Request) -> httpx.Response:
        if request.headers["x-api-key"] == tokens[1]:
            return httpx.Response(200, json={"status": "ok"})
        return httpx.Response(401, headers=expired, json={"detail": "expired"})

    server = jwt_server(tokens, healthz=health)
    async with AsyncServiceClient(config("python-latest"), http=server, clock=clock) as service:
        await service.connection.configure()
        assert await service.health() == "ok"
    server = jwt_server(tokens, healthz=httpx.Response(401, headers=expired, json={}))
    async with AsyncServiceClient(config("python-latest"), http=server, clock=clock) as service:
        await service.connection.configure()
        with pytest.raises(ApiStatusError):
            await service.health()
    assert server.paths().count("healthz") == 2


async def test_what_is_no_token_is_said_to_be_none() -> None:
    server = jwt_server(["nonsense"])
    async with AsyncServiceClient(
        config("python-latest"), http=server, clock=ManualClock()
    ) as service:
        await service.connection.configure()
        with pytest.raises(ValidationError, match="no JWT with an expiry"):
            await service.health()


def test_a_key_may_come_from_a_command_and_must_look_like_one() -> None:
    environment = read_environment({"TINKER_CREDENTIAL_CMD": "print-key --now"})
    asked: list[str] = []

    def command(line: str) -> str:
        asked.append(line)
        return "tml-from-command\n"

    found = ClientConfig.resolve(environment=environment, run_command=command)
    assert (found.api_key, asked) == ("tml-from-command", ["print-key --now"])
    with pytest.raises(ValidationError, match="api_key is required"):
        ClientConfig.resolve(environment=read_environment({}))
    with pytest.raises(ValidationError, match="unknown client option"):
        ClientConfig.resolve(environment=read_environment({}), api_key=KEY, colour="red")


@pytest.mark.parametrize("allotted", [True, False])
async def test_a_second_client_on_a_session_has_numbers_of_its_own(allotted: bool) -> None:
    sample = {"sequences": [{"tokens": [1], "stop_reason": "stop"}]}
    server = ScriptedServer(
        {
            **SESSION,
            "client/config": {"sample_join_sampling_session": allotted},
            "client/dynamic_config": {},
            "join_sampling_session": {"client_counter": 3, "type": "join_sampling_session"},
            "asample": sample,
        }
    )
    async with AsyncServiceClient(
        config("python-latest"), http=server, clock=ManualClock()
    ) as service:
        client = await service.join_sampling_session("s:sample:0")
        await client.sample(ModelInput.from_ints([1]))
        await client.sample(ModelInput.from_ints([1]))
    first, second = (body["seq_id"] for body in server.bodies("asample"))
    assert second == first + 1
    assert first % 1_000_000_000 == 0
    assert first == 3_000_000_000 if allotted else first >= 1_000_000_000
    assert bool(server.bodies("join_sampling_session")) is allotted
