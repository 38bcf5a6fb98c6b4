"""An unmodified training script runs under old, middle and newest releases of the real SDK."""

from typing import Any

import pytest

from tests.sdk.running import run_script
from tinker_mock.suite.sdk.environment import newest


@pytest.mark.parametrize("version", ["0.7.0", "0.24.1", newest()])
def test_a_training_script_runs_unmodified(version: str, tinker_mock: Any) -> None:
    seen = run_script(version, "training_script.py", tinker_mock.url)

    assert seen["offered"]
    assert seen["losses"][-1] < 0.5 * seen["losses"][0]
    assert all(b < a for a, b in zip(seen["losses"], seen["losses"][1:], strict=False))
    assert seen["resumed"] == seen["forward"]

    first, repeated, other = seen["samples"]
    assert first == repeated
    assert first != other
    assert seen["prompt_logprobs"][0] is None
    assert seen["prompt_logprobs"][1:] == pytest.approx(seen["forward"][0], abs=1e-5)

    assert seen["model_id"] in seen["run_ids"]
    assert seen["run_model"] == "Qwen/Qwen3-8B"
    assert set(seen["saved"]) <= set(seen["paths"])
