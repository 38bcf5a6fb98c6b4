"""What `serve --store` takes and refuses, and `--workers`."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import pytest

from tests.bench.crash import Server
from tests.server.cluster.conftest import Api
from tinker_mock.server.database.shared_schema import MIGRATIONS

psycopg = pytest.importorskip("psycopg")

SERVE = [sys.executable, "-m", "tinker_mock.server", "--port", "0", "--quiet"]


def refusal(*options: str) -> str:
    """What a server says that does not start."""
    done = subprocess.run([*SERVE, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    return done.stderr


def test_another_seed_is_refused_and_none_is_the_stores(store: str) -> None:
    server = Server("--seed", "11", "--store", store)
    server.start()
    assert "seed 11, not 12" in refusal("--seed", "12", "--store", store)
    second = Server("--store", store)
    second.start()
    assert Api(second).get("/_mock/state")["seed"] == 11
    second.end(signal.SIGTERM)
    server.end(signal.SIGTERM)


def test_a_newer_schema_is_refused(store: str) -> None:
    with psycopg.connect(store) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO schema_version VALUES (99)")
    assert "newer release (schema 99" in refusal("--store", store)


def test_an_older_schema_is_migrated(store: str) -> None:
    with psycopg.connect(store) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        connection.execute("INSERT INTO schema_version VALUES (1)")
        connection.execute(MIGRATIONS[0])
    server = Server("--seed", "11", "--store", store)
    server.start()
    assert Api(server).http.post("/_mock/snapshots").json()["id"] == "snapshot-1"
    server.end(signal.SIGTERM)


def test_what_is_no_store_is_refused() -> None:
    assert "postgresql://HOST/DATABASE" in refusal("--store", "mysql://here/there")
    told = refusal("--store", "postgresql://me:secret@127.0.0.1:1/there")
    assert "postgresql://127.0.0.1:1/there" in told
    assert "secret" not in told
    assert "--store" in refusal("--workers", "2")
    assert "--clock auto" in refusal("--clock", "auto", "--store", "postgresql://there/there")


def test_workers_serve_one_port_and_are_begun_anew(store: str) -> None:
    server = Server("--seed", "5", "--store", store, "--workers", "2")
    server.start()
    api = Api(server)
    session = api.session()
    assert len(api.get("/_mock/state")["servers"]) == 2
    assert server.process is not None
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(children) as file:
        killed = int(file.read().split()[0])
    before = {one["id"] for one in api.get("/_mock/state")["servers"]}
    os.kill(killed, signal.SIGKILL)
    until, told = time.monotonic() + 30, before
    while time.monotonic() < until and (len(told) != 2 or told == before):
        with suppress(httpx.TransportError):  # connected to the one that was killed
            told = {one["id"] for one in Api(server).get("/_mock/state").get("servers", ())}
    assert len(told) == 2
    assert len(told & before) == 1
    Api(server).post("session_heartbeat", {"session_id": session})
    server.end(signal.SIGTERM)
    assert server.process.returncode == 0
