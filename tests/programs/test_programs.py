"""Programs of the package index that hard-code the service's address, as they are.

They have an environment of their own (`make programs`) and run under `tinker-mock run
--intercept`, which lets nothing leave the machine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-programs"
PYTHON = ENVIRONMENT / "bin" / "python"
MOCK = [sys.executable, "-m", "tinker_mock.cli"]
ANSWERED = "connections to the production address answered"

pytestmark = pytest.mark.skipif(
    not (ENVIRONMENT / ".installed").exists(),
    reason="better-tinker and tinkerscope are not installed: run `make programs` once (some GB)",
)


def seen_by(script: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What the script printed, and what `run` said at the end."""
    hub = folder / "hub"
    subprocess.run(
        [*MOCK, "tokenizers", "install", "--hf-home", str(hub)], check=True, capture_output=True
    )
    variables = {"HF_HOME": str(hub), "HF_HUB_OFFLINE": "1", "XDG_STATE_HOME": str(folder)}
    (folder / "runs").mkdir()
    program = [str(PYTHON), str(Path(__file__).with_name(script)), str(folder / "runs")]
    done = subprocess.run(
        [*MOCK, "run", "--intercept", "--seed", "7", "--fail-on", "violation", "--", *program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.stdout.startswith("{"), done.stderr[-4000:]
    assert done.returncode in (0, 1), done.stderr[-4000:]
    return json.loads(done.stdout), done.stderr


def test_better_tinkers_bridge(tmp_path: Path) -> None:
    """A chat whose renderer stops at token ids is refused, as the service refuses it
    (thinking-machines-lab/tinker-feedback#90)."""
    seen, said = seen_by("better_tinker_script.py", tmp_path)
    run, sampler, state = seen["run"], seen["sampler"], seen["state"]

    assert seen["health"]["client_ready"]
    assert seen["runs"]["cursor"]["total_count"] == 1
    assert seen["runs"]["training_runs"] == [seen["one"]]
    assert (seen["one"]["training_run_id"], seen["one"]["lora_config"]) == (run, {"rank": 8})
    for listing in ("checkpoints", "mine"):
        paths = {kept["tinker_path"] for kept in seen[listing]["checkpoints"]}
        assert paths == {sampler, state}
    assert (seen["usage"]["total_training_runs"], seen["usage"]["total_checkpoints"]) == (1, 2)
    for done in ("published", "unpublished", "deleted"):
        assert seen[done]["success"], seen[done]
    assert [kept["tinker_path"] for kept in seen["left"]["checkpoints"]] == [sampler]
    assert seen["chat"] == {"content": seen["wanted"]}
    assert "400" in seen["stops are ids"]["said"]["detail"]
    assert ANSWERED in said
    assert "refused:" not in said


def test_tinkerscope(tmp_path: Path) -> None:
    seen, said = seen_by("tinkerscope_script.py", tmp_path)
    sampler, model = seen["sampler"], seen["model"]

    assert seen["health"]["available"]
    assert model in seen["health"]["supported_models"]
    (run,) = seen["runs"]
    assert run["sampleable"]
    assert (run["base_model"], run["lora_rank"]) == (model, 8)
    assert [(kept["sampler_path"], kept["servable"]) for kept in run["checkpoints"]] == [
        (sampler, True)
    ]
    offered = {one["id"]: one["kind"] for one in seen["models"]["models"]}
    assert offered[sampler] == "checkpoint"
    assert offered[model] == "base"
    assert seen["probe"] == {"available": True, "base_model": model, "error": None}
    assert not seen["lost"]["available"]
    assert "no checkpoint" in seen["lost"]["error"]
    assert "1 checkpoint(s)" in seen["checkpoints"]
    assert [one["content"].strip() for one in samples(seen["chat"])] == [seen["wanted"]]
    (untaught,) = samples(seen["base"])
    assert untaught["finish_reason"] in ("length", "stop")
    assert ANSWERED in said
    assert "refused:" not in said


def samples(lines: str) -> list[dict[str, Any]]:
    """What tinkerscope's command line drew, of its lines of JSON."""
    events = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return [event for event in events if event["event"] == "sample"]
