"""A server that is started again on its directory goes on where it was."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.commands import served_process
from tests.server.conftest import Api, sample, training_step, update
from tinker_mock.server.app import create_app
from tinker_mock.server.database import transfer
from tinker_mock.server.database.schema import MIGRATIONS, VERSION
from tinker_mock.server.database.weight_files import Filed
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings


def running(directory: Path, **more: Any) -> RunningServer:
    return RunningServer(Settings(port=0, seed=3, data_dir=directory, **more))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def loop(api: Api, model: str, first: int, steps: int) -> list[Any]:
    """Train for some steps; the results."""
    told = []
    for step in range(first, first + steps):
        told.append(api.done("forward_backward", training_step(model, 2 * step + 1)))
        told.append(api.done("optim_step", update(model, 2 * step + 2)))
    return told


def test_training_goes_on_with_the_same_numbers(directory: Path, tmp_path: Path) -> None:
    with running(tmp_path / "peace") as server:
        api = Api(server, "tml-a")
        expected = loop(api, api.model(), 0, 6)
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        found = loop(api, model, 0, 3)
        half = api.done("forward_backward", training_step(model, 7))  # its gradient is pending
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        found += [half, api.done("optim_step", update(model, 8)), *loop(api, model, 4, 2)]
        api.http.close()
    assert found == expected


def test_a_model_that_was_trained_for_long_is_not_trained_again(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        loop(api, model, 0, 40)
        api.done("save_weights", {"model_id": model, "seq_id": 81, "path": "a"})  # all is kept
        run = server.mock.state.runs[model]
        assert len(run.replay) < 64
        assert isinstance(run.kept, Filed)
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        after = [
            api.done("forward_backward", training_step(model, 82)),
            api.done("optim_step", update(model, 83)),
        ]
        api.http.close()
    with running(directory.with_name("peace")) as server:
        api = Api(server, "tml-a")
        assert loop(api, api.model(), 0, 41)[-2:] == after
        api.http.close()


def test_everything_is_there_again(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        session = api.session(user_metadata={"team": "x"})
        model = api.model(session)
        loop(api, model, 0, 2)
        api.done("save_weights", {"model_id": model, "seq_id": 5, "path": "a"})
        body = {"model_id": model, "seq_id": 6, "path": "out"}
        api.done("save_weights_external", body)
        body = {"model_id": model, "seq_id": 7, "sampling_session_seq_id": 4}
        sampler = api.done("save_weights_for_sampler", body)["sampling_session_id"]
        sampled = api.submit("asample", sample(sampler, 1))
        first = api.outcome(sampled)
        api.http.post(f"/api/v1/training_runs/{model}/checkpoints/weights/a/publish")
        queued = api.submit("optim_step", update(model, 9))  # waits for 8
        before = looked(api, model, session)
        archive = api.get(f"training_runs/{model}/checkpoints/weights/a/archive")
        content = httpx.get(archive.headers["location"], timeout=60).content
        api.http.close()
    with running(directory) as server:
        api, other = Api(server, "tml-a"), Api(server, "tml-b")
        assert looked(api, model, session) == before
        assert api.outcome(sampled) == first
        again = api.get(f"training_runs/{model}/checkpoints/weights/a/archive")
        assert httpx.get(again.headers["location"], timeout=60).content == content
        path = f"tinker://{model}/weights/a"
        assert other.post("weights_info", {"tinker_path": path}).status_code == 200
        assert api.outcome(api.submit("asample", sample(sampler, 2)))["sequences"]
        api.submit("forward_backward", training_step(model, 8))
        assert "metrics" in api.outcome(queued)
        assert api.session() not in (session, None)
        for one in (api, other):
            one.http.close()


def looked(api: Api, model: str, session: str) -> list[Any]:
    """What can be asked about what was done."""
    today = datetime.now(UTC).date()
    window = {
        "starting_on": f"{today}T00:00:00Z",
        "ending_before": f"{today + timedelta(days=1)}T00:00:00Z",
    }
    asked = [f"sessions/{session}", "sessions", "checkpoints", f"training_runs/{model}"]
    answer = api.get("billing/usage/events", **window)
    assert answer.status_code == 200, answer.text
    used = answer.json()["data"]
    kinds = [one["event_info"] for one in used if one["event_info"]["type"] != "storage"]
    return [*[api.get(path).json() for path in asked], kinds, api.get("audit_log").json()]


def test_links_and_tokens_outlive_a_restart(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        session = api.session()
        token = api.post("auth/token", {}).json()["jwt"]
        api.http.close()
    with running(directory) as server:
        api = Api(server, token)
        assert api.get("sessions").json()["sessions"] == [session]
        api.http.close()
    assert oct((directory / "secret").stat().st_mode & 0o777) == "0o600"


def test_time_goes_on(directory: Path) -> None:
    with running(directory, clock="manual") as server:
        api = Api(server, "tml-a")
        api.http.post("/_mock/clock/advance", json={"seconds": 5000})
        api.session()
        then = server.mock.clock.now()
        api.http.close()
    with running(directory, clock="manual") as server:
        assert server.mock.clock.now() >= then


def test_a_second_server_is_refused_by_name(directory: Path) -> None:
    with running(directory), pytest.raises(ConfigurationError, match=f"process {os.getpid()}"):
        create_app(Settings(data_dir=directory))
    create_app(Settings(seed=3, data_dir=directory)).state.mock.close()


def test_another_seed_is_refused(directory: Path) -> None:
    create_app(Settings(seed=3, data_dir=directory)).state.mock.close()
    with pytest.raises(ConfigurationError, match="seed 3, not 4"):
        create_app(Settings(seed=4, data_dir=directory))


def test_a_newer_directory_is_refused(directory: Path) -> None:
    create_app(Settings(data_dir=directory)).state.mock.close()
    database = sqlite3.connect(directory / "state.sqlite")
    database.execute(f"PRAGMA user_version={VERSION + 1}")
    database.close()
    with pytest.raises(ConfigurationError, match="newer release"):
        create_app(Settings(data_dir=directory))


def test_an_older_directory_is_migrated(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        loop(api, model, 0, 1)
        api.done("save_weights", {"model_id": model, "seq_id": 3, "path": "a"})
        api.http.close()
    database = sqlite3.connect(directory / "state.sqlite")
    held = set(database.execute("SELECT id, owner, field FROM files"))
    assert held
    database.executescript("DROP TABLE files; PRAGMA user_version=1;")  # as version 1 left it
    assert len(MIGRATIONS) == VERSION == 2
    database.close()
    with running(directory) as server:
        database = sqlite3.connect(directory / "state.sqlite")
        assert set(database.execute("SELECT id, owner, field FROM files")) == held
        database.close()
        api = Api(server, "tml-a")
        assert api.get("checkpoints").json()["checkpoints"]
        api.http.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        done = api.submit("forward_backward", training_step(model, 1))
        first = api.outcome(done)
        database = server.mock.backend.store.keeper.place.database
        database.limit_size(1)
        told = {"tags": ["x" * 60_000], "user_metadata": None, "sdk_version": "0.38.0"}
        refused = api.post("create_session", told)
        assert refused.status_code == 413
        assert refused.json()["error"]["code"] == "insufficient_storage"
        assert "full" in refused.json()["detail"]
        assert api.post("optim_step", update(model, 2)).status_code == 413
        assert api.outcome(done) == first  # what is there can be read
        assert api.get("sessions").status_code == 200
        database.limit_size(1_000_000)
        assert "metrics" in api.done("optim_step", update(model, 3))  # 2 was refused for good
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        assert server.mock.state.runs[model].steps == 1
        assert "metrics" in api.done("forward_backward", training_step(model, 4))
        api.http.close()


def test_a_result_that_was_told_is_the_same_when_the_server_was_killed_at_once(
    directory: Path, tmp_path: Path
) -> None:
    with running(tmp_path / "peace") as server:
        api = Api(server, "tml-a")
        expected = loop(api, api.model(), 0, 3)
        api.http.close()
    place = ("--seed", "3", "--data-dir", str(directory))
    with served_process(*place, expected_code=-signal.SIGKILL) as killed:
        api = Api(killed, "tml-a")
        model = api.model()
        found = loop(api, model, 0, 1)
        asked = api.submit("forward_backward", training_step(model, 3))
        found.append(api.outcome(asked))
        os.kill(killed.pid, signal.SIGKILL)
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        assert api.outcome(asked) == found[-1]
        found.append(api.done("optim_step", update(model, 4)))
        assert found + loop(api, model, 2, 1) == expected
        assert server.mock.state.runs[model].steps == 3
        api.http.close()


def test_every_answer_may_be_the_last(directory: Path, tmp_path: Path) -> None:
    """What was kept when an answer came gives the same results, in the same order."""
    asked: list[str] = []
    moments: list[tuple[Path, list[str]]] = []

    def copied() -> None:
        archive = tmp_path / f"{len(moments)}.tar"
        transfer.export_to(directory, archive)
        moments.append((archive, list(asked)))

    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        for step in range(2):
            bodies = training_step(model, 3 * step + 1), update(model, 3 * step + 2)
            for path, body in zip(("forward_backward", "optim_step"), bodies, strict=True):
                asked.append(api.submit(path, body))
                copied()
            for request in asked[-2:]:
                api.outcome(request)
                copied()
            saved = {"model_id": model, "seq_id": 3 * step + 3, "path": f"step-{step}"}
            asked.append(api.submit("save_weights", saved))
            copied()
        told = {request: api.outcome(request) for request in asked}
        api.http.close()
    for archive, known in moments:
        transfer.import_from(archive.with_suffix(""), archive)
        with running(archive.with_suffix("")) as server:
            api = Api(server, "tml-a")
            assert {request: api.outcome(request) for request in known} == {
                request: told[request] for request in known
            }
            assert len(api.get("checkpoints").json()["checkpoints"]) == len(known) // 3
            api.http.close()


def test_a_file_that_was_changed_is_not_loaded(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        loop(api, model, 0, 1)
        api.done("save_weights", {"model_id": model, "seq_id": 3, "path": "a"})
        api.http.close()
    for file in (directory / "weights").iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    with running(directory) as server:
        api = Api(server, "tml-a")
        body = {"session_id": api.session(), "model_seq_id": 0, "optimizer": True}
        request = api.submit("load_weights", {**body, "path": f"tinker://{model}/weights/a"})
        assert "has been changed" in api.outcome(request)["error"]
        api.http.close()


def test_a_drawn_seed_is_the_directorys(directory: Path) -> None:
    sessions = [from_a_process(directory) for _ in range(2)]
    assert sessions[0] != sessions[1]
    database = sqlite3.connect(directory / "state.sqlite")
    (seed,) = database.execute("SELECT value FROM facts WHERE id = 'seed'").fetchone()
    database.close()
    assert json.loads(seed) > 0


def from_a_process(directory: Path) -> str:
    """The id of a session of a server that was told no seed."""
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        key = {"X-API-Key": "tml-a"}
        answer = httpx.post(f"{url}/api/v1/create_session", json=told, headers=key, timeout=60)
        process.terminate()
    return str(answer.json()["session_id"])
