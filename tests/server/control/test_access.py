"""Who may steer: this machine's programs, or whoever knows the key; never a foreign web page."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.commands import served
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

KEY = {"X-Tinker-Mock-Key": "a-key"}
FOREIGN_ORIGIN = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
STEERING = [
    ("POST", "/_mock/reset"),
    ("POST", "/_mock/snapshots"),
    ("GET", "/_mock/journal"),
    ("GET", "/_mock/state"),
    ("PUT", "/_mock/scenario"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with RunningServer(Settings(port=0)) as server:
        yield server.url


@pytest.fixture(scope="module")
def keyed_url() -> Iterator[str]:
    with RunningServer(Settings(port=0, control_key="a-key")) as server:
        yield server.url


@pytest.mark.parametrize(("method", "path"), STEERING)
@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN_ORIGIN,
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "rebound.example:8765"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
def test_web_pages_cannot_steer(url: str, method: str, path: str, headers: dict[str, str]) -> None:
    answer = httpx.request(method, url + path, headers=headers, content=b"{}")
    assert answer.status_code == 403
    assert answer.json()["error"]["field"] in ("header:Origin", "header:Host")


@pytest.mark.parametrize("path", ["/_mock/healthz", "/_mock/readyz"])
def test_health_is_everybodys(url: str, path: str) -> None:
    assert httpx.get(url + path, headers={"Host": "lb.example"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:1"},
        {"Host": "[::1]:8765"},
        {"Host": "tinker-mock:8765"},
        {"Origin": "http://localhost:3000"},
    ],
)
def test_programs_and_pages_of_this_machine_steer(url: str, headers: dict[str, str]) -> None:
    assert httpx.get(f"{url}/_mock/state", headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["X-Tinker-Mock-Effect", "X-Tinker-Mock-Plan"])
def test_headers_that_bring_effects_follow_the_same_rule(
    url: str, keyed_url: str, header: str
) -> None:
    plan = httpx.post(f"{url}/_mock/plans", json={"effects": {"healthz": "return-503"}}).json()[
        "id"
    ]
    value = "return-503" if header.endswith("Effect") else plan
    path = "/api/v1/healthz"
    assert httpx.get(url + path, headers={header: value}).status_code == 503
    page = {header: value, "Origin": "https://evil.example"}
    assert httpx.get(url + path, headers=page).status_code == 403
    assert httpx.get(keyed_url + path, headers={header: "return-503"}).status_code == 401
    assert httpx.get(keyed_url + path, headers={**KEY, header: value}).status_code in (404, 503)
    assert httpx.get(keyed_url + path).status_code == 200


def test_a_key_opens_whatever_the_origin(keyed_url: str) -> None:
    away = {"Host": "mock.example", "Origin": "https://dashboard.example"}
    assert httpx.get(f"{keyed_url}/_mock/state", headers=away).status_code == 401
    assert httpx.get(f"{keyed_url}/_mock/state", headers={**away, **KEY}).status_code == 200


def test_further_names_can_be_allowed() -> None:
    with RunningServer(Settings(port=0, allow_host=("mock.example",))) as server:
        ask = f"{server.url}/_mock/state"
        assert httpx.get(ask, headers={"Host": "mock.example"}).status_code == 200
        assert httpx.get(ask, headers={"Host": "other.example"}).status_code == 403


def test_beyond_loopback_a_key_is_drawn_and_printed() -> None:
    with served("--host", "0.0.0.0") as told:
        key = told["TINKER_MOCK_CONTROL_KEY"]
        url = f"{told['TINKER_BASE_URL']}/_mock/state"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"X-Tinker-Mock-Key": key}).status_code == 200


def test_a_key_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    for options, environment, key in (
        (("--control-key-file", str(file)), {}, "from-a-file"),
        ((), {"TINKER_MOCK_CONTROL_KEY": "from-outside"}, "from-outside"),
    ):
        with served("--host", "0.0.0.0", *options, **environment) as told:
            assert "TINKER_MOCK_CONTROL_KEY" not in told
            url = f"{told['TINKER_BASE_URL']}/_mock/state"
            assert httpx.get(url, headers={"X-Tinker-Mock-Key": key}).status_code == 200


def test_links_lead_to_the_server_whatever_the_host_header_says(url: str) -> None:
    session = link_of(url, "evil.example:1")
    assert session.startswith(url)
    assert link_of(url, "localhost:7").startswith("http://localhost:7/")
    with RunningServer(Settings(port=0, base_url="https://mock.example/tinker")) as server:
        assert link_of(server.url, "evil.example").startswith("https://mock.example/tinker/")


def link_of(url: str, host: str) -> str:
    """Where the archive of a fresh checkpoint is said to be."""
    headers = {"X-API-Key": "tml-a", "Host": host}
    with httpx.Client(base_url=url, headers=headers) as http:

        def ask(operation: str, **body: object) -> dict[str, str]:
            answer = http.post(f"/api/v1/{operation}", json=body)
            assert answer.status_code == 200, answer.text
            result: dict[str, str] = answer.json()
            return result

        session = ask("create_session", tags=[], sdk_version="0.38.0", user_metadata=None)
        created = ask(
            "create_model",
            session_id=session["session_id"],
            model_seq_id=0,
            base_model="Qwen/Qwen3-8B",
            lora_config={"rank": 4},
        )
        model = ask("retrieve_future", request_id=created["request_id"])["model_id"]
        saving = ask("save_weights", model_id=model, seq_id=1, path="kept")
        path = ask("retrieve_future", request_id=saving["request_id"])["path"]
        run, _, name = path.removeprefix("tinker://").partition("/")
        archive = f"/api/v1/training_runs/{run}/checkpoints/{name}/archive"
        return str(http.get(archive, follow_redirects=False).headers["location"])
