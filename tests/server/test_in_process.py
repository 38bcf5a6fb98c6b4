"""Without a socket: ASGI transport, respx router, and the pytest plugin under xdist."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import respx
import zstandard

import tinker_mock.server
from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.serving.in_thread import RunningServer

pytest_plugins = ["pytester"]
KEY = {"X-API-Key": "tml-in-process"}
SDK_ENVIRONMENT = Path(__file__).parents[2] / ".venv-sdk"
SOURCES = ("/mockserver", "/contracts", "/conformance")
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


IN_PROCESS = """
import tinker, tinker_mock.server
with tinker_mock.server.respx_router(seed=3) as router:
    service = tinker.ServiceClient(base_url=router.url, api_key="tml-x")
    training = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8)
    step = training.optim_step(tinker.AdamParams(learning_rate=1e-3))
    getattr(step, "result")()
    print(router.calls.call_count, len(router.app.state.mock.state.runs))
"""


@pytest.mark.parametrize("release", ["0.18.2", "0.22.7", "0.38.0"])
def test_sdks_with_a_transport_of_their_own_go_through_respx_too(release: str) -> None:
    code = SDK_ENVIRONMENT / "releases" / release
    if not code.is_dir():
        pytest.skip("real SDKs come with `make sdk-env`")
    here = [path for path in sys.path if path.endswith(("site-packages", *SOURCES))]
    ran = subprocess.run(
        [str(SDK_ENVIRONMENT / "bin" / "python"), "-W", "ignore", "-c", IN_PROCESS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(code), *here])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    # Not the exit code: newer releases sometimes abort after the last line.
    assert ran.stdout, ran.stderr
    calls, runs = ran.stdout.split()
    assert int(calls) > 3
    assert runs == "1"


def test_the_fixtures_journal_reads_like_respx(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx, pytest

        def test_calls(tinker_mock):
            journal = tinker_mock.journal
            assert not journal.called
            with pytest.raises(LookupError, match="nothing was called"):
                journal.last()
            body = {"tags": ["a"], "user_metadata": {}, "sdk_version": "0.38.0"}
            url = f"{tinker_mock.url}/api/v1/create_session"
            answer = httpx.post(url, json=body, headers={"X-API-Key": "tml-secret"})
            call = journal.last("create_session")
            assert (call.body, call.status, call.answer) == (body, 200, answer.json())
            assert "tml-secret" not in str(call)
            assert journal.calls_of("create_session").call_count == 1
            assert not journal.calls_of("optim_step").called
            httpx.post(url, json={"tags": 3}, headers={"X-API-Key": "tml-secret"})
            assert [c.status for c in journal.calls] == [200, 422]
            assert [c.number for c in journal.violations] == [2]
            with pytest.raises(LookupError, match="called were create_session"):
                journal.last("optim_step")
            with pytest.raises(ValueError, match="did you mean optim_step"):
                journal.calls_of("optim_steps")
            journal.reset()
            assert journal.calls == []
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("packed", [False, True])
def test_a_protobuf_body_is_read_like_json(
    tinker_mock_session: RunningServer, packed: bool
) -> None:
    message = messages.ForwardBackwardRequest(model_id="no-such-model", seq_id=7)
    content = message.SerializeToString()
    headers = {**KEY, "content-type": "application/x-protobuf"}
    if packed:
        content = zstandard.compress(content)
        headers["content-encoding"] = "zstd"
    url = f"{tinker_mock_session.url}/api/v1/forward_backward"
    httpx.post(url, content=content, headers=headers)
    body = tinker_mock_session.journal.last("forward_backward").body
    assert (body["model_id"], body["seq_id"]) == ("no-such-model", 7)


WRONG = """
import pytest

@pytest.mark.tinker_mock(ARGUMENTS)
def test_it(tinker_mock):
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("'rate-limited'", "takes its settings by name, not 'rate-limited' alone"),
        ("scenaro='healthy'", "has no setting 'scenaro'; did you mean scenario?"),
        ("scenario='flakey-network'", "no scenario 'flakey-network' (did you mean flaky-network?)"),
        ("seed='seven'", "seed is int, not 'seven'"),
        ("seed=True", "seed is int, not True"),
        ("strict='yes'", "strict is bool, not 'yes'"),
        ("quirks='nope'", "quirks is"),
        ("clock='atuo'", "clock: 'atuo' is none of real, xRATE, manual, auto"),
    ],
)
def test_a_wrong_marker_is_told_in_a_sentence(
    pytester: pytest.Pytester, arguments: str, sentence: str
) -> None:
    pytester.makepyfile(WRONG.replace("ARGUMENTS", arguments))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    told = result.stdout.str()
    assert sentence in told
    assert ".py:" not in told.split("ERROR at setup")[1].split("short test summary")[0]


def test_the_markers_of_a_class_and_of_its_test_add_up(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.tinker_mock(seed=3, strict=True)
        class TestIt:
            @pytest.mark.tinker_mock(seed=4, long_poll=1)
            def test_it(self, tinker_mock):
                told = tinker_mock.settings
                assert (told.seed, told.strict, told.long_poll) == (4, True, 1)
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
