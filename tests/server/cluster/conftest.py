"""Servers that share a database, and clients of them."""

import signal
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import pytest

from tests.bench.crash import Server

BASE = "Qwen/Qwen3-8B"


@pytest.fixture
def store(database: str, request: pytest.FixtureRequest) -> str:
    """The address of an empty database."""
    return made(database, f"test_{abs(hash(request.node.nodeid))}")


@pytest.fixture(scope="module")
def three(database: str) -> Iterator[list["Api"]]:
    """Clients of one key at each of three servers that share a store."""
    place = made(database, "three")
    servers = [Server("--seed", "5", "--store", place) for _ in range(3)]
    for server in servers:
        server.start()
    yield [Api(server) for server in servers]
    for server in servers:
        server.end(signal.SIGTERM)


@pytest.fixture(scope="module", autouse=True)
def hang_up() -> Iterator[None]:
    """Connections end with their module."""
    yield
    while Api.opened:
        Api.opened.pop().close()


def made(address: str, name: str) -> str:
    """The address of a new database."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(address)._replace(path=f"/{name}").geturl()


class Api:
    """The wire as a client of one server sees it."""

    opened: ClassVar[list[httpx.Client]] = []

    def __init__(self, server: Server, key: str = "tml-shared") -> None:
        self.server = server
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", headers={"X-API-Key": key}, timeout=60
        )
        self.opened.append(self.http)

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.http.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def session(self) -> str:
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        return str(self.post("create_session", told)["session_id"])

    def model(self, session: str) -> str:
        body = {"session_id": session, "model_seq_id": 0, "base_model": BASE}
        made = self.post("create_model", {**body, "lora_config": {"rank": 4, "seed": 1}})
        self.outcome(made["request_id"])
        return str(made["model_id"])

    def submit(self, path: str, body: dict[str, Any]) -> str:
        return str(self.post(path, body)["request_id"])

    def outcome(self, request_id: str) -> Any:
        told = self.post("retrieve_future", {"request_id": request_id})
        assert "error" not in told, told
        return told
