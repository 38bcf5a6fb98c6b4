"""`tinker-mock data`: what is in a directory, taken elsewhere, made small."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import Api, training_step, update
from tinker_mock.server.database import transfer
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings


def data(*words: object, code: int = 0) -> str:
    command = [sys.executable, "-m", "tinker_mock.cli", "data", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, str]:
    """A directory with a trained and saved model, and the model's id."""
    with RunningServer(Settings(port=0, seed=3, data_dir=tmp_path / "data")) as server:
        api = Api(server, "tml-a")
        model = api.model()
        api.done("forward_backward", training_step(model, 1))
        api.done("optim_step", update(model, 2))
        for seq_id, name in ((3, "a"), (4, "b")):
            api.done("save_weights", {"model_id": model, "seq_id": seq_id, "path": name})
        api.http.post("/_mock/snapshots", json={"name": "then"})
        used = json.loads(data("info", tmp_path / "data", "--json"))
        assert used["used_by"] is not None
        api.http.close()
    return tmp_path / "data", model


def test_info_counts_what_is_there(trained: tuple[Path, str]) -> None:
    told = json.loads(data("info", trained[0], "--json"))
    assert told["seed"] == 3
    assert told["used_by"] is None
    assert told["snapshots"] == ["then"]
    assert told["records"]["runs"] == 1
    assert told["records"]["checkpoints"] == 2
    assert "seed        3" in data("info", trained[0])


def test_an_export_is_the_same_elsewhere(trained: tuple[Path, str], tmp_path: Path) -> None:
    directory, model = trained
    data("export", directory, tmp_path / "moved.tar")
    data("import", tmp_path / "elsewhere" / "copy", tmp_path / "moved.tar")
    told = []
    for place in (directory, tmp_path / "elsewhere" / "copy"):
        with RunningServer(Settings(port=0, seed=3, data_dir=place)) as server:
            api = Api(server, "tml-a")
            told.append(api.done("forward_backward", training_step(model, 5)))
            told.append(api.get("checkpoints").json())
            api.http.close()
    assert told[:2] == told[2:]
    assert "already" in data("import", directory, tmp_path / "moved.tar", code=2)


@pytest.mark.parametrize("name", ["../outside", "/etc/x", "weights/../../x", "weights/short"])
def test_an_archive_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    assert "does not belong" in data("import", tmp_path / "new", archive, code=2)
    assert {path.name for path in tmp_path.iterdir()} == {"bad.tar"}


def test_weights_that_were_changed_are_refused(trained: tuple[Path, str], tmp_path: Path) -> None:
    directory, _ = trained
    for file in (directory / "weights").iterdir():
        file.write_bytes(b"?" + file.read_bytes())
    data("export", directory, tmp_path / "bad.tar")
    assert "has been changed" in data("import", tmp_path / "new", tmp_path / "bad.tar", code=2)


def test_compacting_gives_back_what_was_deleted(trained: tuple[Path, str]) -> None:
    directory, model = trained
    with RunningServer(Settings(port=0, seed=3, data_dir=directory)) as server:
        assert "in use" in data("compact", directory, code=2)
        api = Api(server, "tml-a")
        api.http.delete("/_mock/snapshots/then")
        for name in "ab":
            api.http.delete(f"/api/v1/training_runs/{model}/checkpoints/weights/{name}")
        api.http.close()
    before = set((directory / "weights").iterdir())
    assert "given back" in data("compact", directory)
    assert set((directory / "weights").iterdir()) < before


def test_what_a_server_has_no_need_of_any_more_is_in_an_export_that_has_begun(
    trained: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, _ = trained
    begin = tarfile.open

    def swept(*words: Any) -> tarfile.TarFile:
        for file in (directory / "weights").iterdir():
            file.unlink()
        return begin(*words)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", swept)
        transfer.export_to(directory, tmp_path / "moved.tar")
    data("import", tmp_path / "copy", tmp_path / "moved.tar")
    assert len(list((tmp_path / "copy" / "weights").iterdir())) >= 2


def test_compacting_without_room_says_what_it_takes(trained: tuple[Path, str]) -> None:
    directory, _ = trained
    command = f"ulimit -f 40; {sys.executable} -m tinker_mock.cli data compact {directory}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "takes as much room" in done.stderr
    assert "Traceback" not in done.stderr
    assert "given back" in data("compact", directory)


def test_what_is_no_directory_is_said(tmp_path: Path) -> None:
    assert "no data directory" in data("info", tmp_path, code=2)
    assert "help data" in data("export", tmp_path, code=2)
