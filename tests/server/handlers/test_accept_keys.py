"""Keys of other services, where they are let in."""

import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings


def status(url: str, key: str) -> int:
    return httpx.get(
        f"{url}/api/v1/get_server_capabilities", headers={"x-api-key": key}, timeout=10
    ).status_code


@pytest.mark.parametrize("key", ["fw_secret", "mint-1", "sk-other"])
def test_they_are_refused_as_the_service_does(key: str) -> None:
    with RunningServer(Settings(port=0)) as server:
        assert status(server.url, "tml-mine") == 200
        assert status(server.url, key) == 401


def test_patterns_let_them_in_and_nothing_else() -> None:
    with RunningServer(Settings(port=0, accept_keys=("fw_*", "mint-?"))) as server:
        keys = ("tml-mine", "fw_secret", "mint-1", "mint-12", "sk-other", "eyJ.forged.token")
        assert [status(server.url, key) for key in keys] == [200, 200, 200, 401, 401, 401]


def test_a_token_stays_a_token_where_every_key_is_let_in() -> None:
    with RunningServer(Settings(port=0, accept_keys=("*",))) as server:
        token = httpx.post(
            f"{server.url}/api/v1/auth/token", headers={"x-api-key": "anything"}, timeout=10
        ).json()["jwt"]
        assert status(server.url, token) == 200
        assert status(server.url, f"{token[:-4]}AAAA") == 401
