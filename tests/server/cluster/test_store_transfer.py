"""A store as an archive, in a directory or another database, and the other way round."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.bench.crash import Server
from tests.server.cluster.conftest import Api, made
from tests.server.cluster.test_one_service import batch, saved


def data(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinker_mock.cli", "data", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_a_store_holds_goes_elsewhere_and_on(
    database: str, store: str, tmp_path: Path
) -> None:
    server = Server("--seed", "3", "--store", store)
    server.start()
    api = Api(server)
    model = api.model(api.session())
    first = api.outcome(asked := api.submit("forward_backward", batch(model, 1)))
    path = saved(api, model, 2, "kept")
    assert api.http.post("/_mock/snapshots", json={"name": "before"}).status_code == 201
    told = json.loads(data("info", store, "--json").stdout)
    assert told["snapshots"] == ["before"]
    assert (told["seed"], told["records"]["runs"], told["records"]["checkpoints"]) == (3, 1, 1)
    assert told["used_by"].startswith("servers ")
    archive = tmp_path / "data.tar"
    assert data("export", store, str(archive)).returncode == 0
    third = api.outcome(api.submit("forward_backward", batch(model, 3)))
    server.end(signal.SIGTERM)

    other = made(database, "elsewhere")
    assert data("import", other, str(archive)).returncode == 0
    assert "something already" in data("import", other, str(archive)).stderr
    directory = tmp_path / "data"
    assert data("import", str(directory), str(archive)).returncode == 0
    for place in (("--store", other), ("--data-dir", str(directory))):
        copy = Server(*place)
        copy.start()
        api = Api(copy)
        assert api.outcome(asked) == first
        found = api.get("/api/v1/checkpoints")["checkpoints"]
        assert [one["tinker_path"] for one in found] == [path]
        for _ in range(2):
            assert api.outcome(api.submit("forward_backward", batch(model, 3))) == third
            assert api.http.post("/_mock/snapshots/before/restore").status_code == 204
        copy.end(signal.SIGTERM)
