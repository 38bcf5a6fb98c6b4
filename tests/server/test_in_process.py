"""Without a socket: ASGI transport, respx router, and the pytest plugin under xdist."""

import asyncio

import httpx
import pytest
import respx

import tinker_mock.server

pytest_plugins = ["pytester"]
KEY = {"X-API-Key": "tml-in-process"}
SESSION = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}


def test_create_app_under_the_asgi_transport() -> None:
    async def run() -> httpx.Response:
        app = tinker_mock.server.create_app(seed=3, clock="manual")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as http:
            return await http.post("/api/v1/create_session", json=SESSION, headers=KEY)

    first, second = asyncio.run(run()), asyncio.run(run())
    assert first.status_code == 200
    assert first.json() == second.json()


def test_a_respx_router_answers_sync_clients() -> None:
    with tinker_mock.server.respx_router(scenario="proxy-noise") as router:
        answer = httpx.post(f"{router.url}/api/v1/create_session", json=SESSION, headers=KEY)
        assert answer.status_code == 200
        assert list(router.app.state.mock.state.sessions) == [answer.json()["session_id"]]
        assert router.calls.call_count == 1
        with pytest.raises(respx.models.AllMockedAssertionError):
            httpx.get("https://elsewhere.mock/")


def test_a_respx_router_answers_async_clients_that_wait_for_each_other() -> None:
    async def poll(http: httpx.AsyncClient, url: str) -> int:
        body = {"request_id": "unknown"}
        return (await http.post(f"{url}/api/v1/retrieve_future", json=body)).status_code

    async def run() -> list[int]:
        async with (
            tinker_mock.server.respx_router() as router,
            httpx.AsyncClient(headers=KEY) as http,
        ):
            return await asyncio.gather(*(poll(http, router.url) for _ in range(5)))

    assert asyncio.run(run()) == [404] * 5


def test_a_respx_router_passes_faults_on_and_starts_afresh() -> None:
    router = tinker_mock.server.respx_router(base_url="https://tinker.example/prefix")
    for _ in range(2):
        with router:
            url = "https://tinker.example/prefix/api/v1/create_session"
            with pytest.raises(httpx.ReadError):
                httpx.post(url, json=SESSION, headers={**KEY, "X-Tinker-Mock-Effect": "lose"})
            assert len(router.app.state.mock.state.sessions) == 1
    with pytest.raises(RuntimeError, match="not started"):
        _ = router.app


OTHERS = ("cacheprovider", "schemathesis", "hypothesispytest", "respx", "anyio", "faker")
PLUGIN_TEST = """
import httpx
import pytest

KEY = {"X-API-Key": "tml-plugin"}


def poll(url):
    body = {"request_id": "x"}
    return httpx.post(f"{url}/api/v1/retrieve_future", json=body, headers=KEY, timeout=60)


@pytest.mark.tinker_mock(scenario="proxy-noise")
def test_marked(tinker_mock):
    assert poll(tinker_mock.url).status_code == 400


def test_fresh(tinker_mock):
    assert poll(tinker_mock.url).status_code == 404


@pytest.mark.parametrize("turn", range(4))
def test_session(tinker_mock_session, turn):
    url = f"{tinker_mock_session.url}/api/v1/sessions"
    answer = httpx.get(url, headers=KEY, timeout=60)
    assert answer.json() == {"sessions": []}
"""


def test_the_plugin_serves_each_test_and_each_worker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLUGIN_TEST)
    # Other plugins take longer to import than the tests to run.
    alone = [option for name in OTHERS for option in ("-p", f"no:{name}")]
    result = pytester.runpytest_subprocess("-q", *alone, "-n", "2")
    result.assert_outcomes(passed=6)


def test_settings_are_those_of_the_server() -> None:
    with pytest.raises(TypeError, match="colour"):
        tinker_mock.server.create_app(colour="blue")
