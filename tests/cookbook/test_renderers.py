"""Scripts fire through every renderer of tinker-cookbook."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.cli import main
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.stand_in.hub_cache import install

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("COOKBOOK_PYTHON", ROOT / ".venv-cookbook" / "bin" / "python"))


needs_cookbook = pytest.mark.skipif(
    not PYTHON.exists(),
    reason="tinker-cookbook is not installed: run `make cookbook RUNS=fast` once (1.6 GB), or "
    "set COOKBOOK_PYTHON to an interpreter that has it",
)


def played(server: RunningServer, home: Path, *more: str) -> dict[str, Any]:
    """What became of scripts through all renderers."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "PYTHONPATH")}
    variables = {
        **kept,
        "TINKER_BASE_URL": server.url,
        "TINKER_API_KEY": "tml-renderers",
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
    }
    command = [PYTHON, Path(__file__).with_name("renderer_script.py"), server.url, *more]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=800)
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@needs_cookbook
def test_scripts_fire_through_every_renderer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TINKER_MOCK_CACHE", "TINKER_MOCK_TOKENIZERS"):
        monkeypatch.setenv(name, str(tmp_path / name))
    catalog = Catalog.load()
    install(tmp_path / "hub", [m for m in catalog.models.values() if m.family != "inkling"])
    with RunningServer(Settings(port=0, include_retired=True)) as server:
        seen = played(server, tmp_path / "hub")
    wrong = {name: told for name, told in seen["wrong"].items() if not name.endswith(" tml_v0")}
    assert wrong == {}
    assert len(seen["tried"]) > 25


@needs_cookbook
def test_they_fire_with_the_models_own_tokenizers_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client encodes with tml-renderers; the mock has taken the same tokenizers out of it."""
    kept = Path(os.environ.get("OWN_TOKENIZERS") or PYTHON.parents[1] / "mock-cache")
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(kept))
    monkeypatch.setenv("TINKER_MOCK_TOKENIZERS", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    if not (kept / "own-tokenizers" / "KimiK25").is_dir():
        assert main(["tokenizers", "take", "--python", str(PYTHON)]) == 0
    with RunningServer(Settings(port=0, include_retired=True)) as server:
        seen = played(server, tmp_path / "hub", "own")
    assert seen["wrong"] == {}
    assert len(seen["tried"]) > 40
