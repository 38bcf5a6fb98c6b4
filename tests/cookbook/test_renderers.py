"""Scripts fire through every renderer of tinker-cookbook."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.stand_in.hub_cache import install

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("COOKBOOK_PYTHON", ROOT / ".venv-cookbook" / "bin" / "python"))


@pytest.mark.skipif(
    not PYTHON.exists(),
    reason="tinker-cookbook is not installed: run `make cookbook RUNS=fast` once (1.6 GB), or "
    "set COOKBOOK_PYTHON to an interpreter that has it",
)
def test_scripts_fire_through_every_renderer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TINKER_MOCK_CACHE", "TINKER_MOCK_TOKENIZERS"):
        monkeypatch.setenv(name, str(tmp_path / name))
    catalog = Catalog.load()
    install(tmp_path / "hub", [m for m in catalog.models.values() if m.family != "inkling"])
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "PYTHONPATH")}
    with RunningServer(Settings(port=0, include_retired=True)) as server:
        variables = {
            **kept,
            "TINKER_BASE_URL": server.url,
            "TINKER_API_KEY": "tml-renderers",
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": "1",
        }
        script = Path(__file__).with_name("renderer_script.py")
        done = subprocess.run(
            [PYTHON, script, server.url], env=variables, capture_output=True, text=True, timeout=400
        )
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    wrong = {name: told for name, told in seen["wrong"].items() if not name.endswith(" tml_v0")}
    assert wrong == {}
    assert len(seen["tried"]) > 25
